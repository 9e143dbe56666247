package archtest_test

import "github.com/wireroom/wireroom/internal/archtest"

// budgetExceptions are the pieces that are larger than their budget, and why.
func budgetExceptions() []archtest.Exception {
	return []archtest.Exception{
		{
			Rule: archtest.StructRule, Subject: "protocol.Request",
			Reason: "one field for each field of the protocol's requests: a type for each would need a switch wherever one is read",
		},
	}
}

// stateExceptions are the package-level variables that are neither errors nor tables, and why.
func stateExceptions() []archtest.Exception {
	return []archtest.Exception{
		{
			Rule: archtest.StateRule, Subject: "wireroom.Native",
			Reason: "the name of the nil Dialect, for programs that want to say what they speak; nothing writes to it",
		},
		{
			Rule: archtest.StateRule, Subject: "cmd/wireroom.version",
			Reason: "the linker sets it (-X main.version=...), and only it",
		},
	}
}

// secretExceptions are the comparisons of what is only named as secrets are, or is no stranger's to guess, and why.
func secretExceptions() []archtest.Exception {
	return []archtest.Exception{
		{
			Rule: archtest.SecretRule, Subject: "internal/rule.read",
			Reason: "a token of a pattern",
		},
		{
			Rule: archtest.SecretRule, Subject: "cmd/wireroom.read",
			Reason: "the name of the file that has the token: - is standard input",
		},
	}
}

// words are what tells of one machine and is of no use on another.
func words() []archtest.Word {
	const path = "a path of one machine"
	// Taken apart, so that this file does not report itself.
	return []archtest.Word{
		{Text: "/" + "work/", Why: path},
		{Text: "/" + "root/", Why: path},
		{Text: "/" + "home/", Why: path},
		{Text: "TO" + "DO", Why: "do it, or write it where plans are kept", Only: []string{".go", ".js", ".mjs", ".ts", ".py", ".css", ".sh"}},
		{Text: "FIX" + "ME", Why: "do it, or write it where plans are kept", Only: []string{".go", ".js", ".mjs", ".ts", ".py", ".css", ".sh"}},
	}
}

// unread are the folders and files that are made or fetched by tools.
func unread() []string {
	return []string{".git", ".cache", "node_modules", "__pycache__", ".venv", "bin", "dist"}
}
