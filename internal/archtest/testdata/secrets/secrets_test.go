package secrets

func inTests(token string) bool { return token == "expected" }
