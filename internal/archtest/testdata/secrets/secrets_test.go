package secrets

const secret = "a test may name one"

func inTests(token string) bool { return token == "expected" }
