package archtest

import (
	"bytes"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// Word is text that does not belong in the tree.
type Word struct {
	Text string
	Why  string
	// Only are the endings of the files that it does not belong in; none means every file.
	Only []string
}

// WordRule is the Rule of the Violations of CheckWords.
const WordRule = "word"

// CheckWords reports every line under root, in whatever file of text, that has one of the words; a word is found
// anywhere in a line, with its case. It leaves out the folders and files that skip names, relative to root or by their
// last element (in a worktree of git, `.git` is a file), and files with a zero byte.
func CheckWords(root string, words []Word, skip []string) ([]Violation, error) {
	var found []Violation
	err := filepath.WalkDir(root, func(name string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		relative, err := filepath.Rel(root, name)
		if err != nil {
			return err
		}
		relative = filepath.ToSlash(relative)
		skipped := relative != "." && (slices.Contains(skip, relative) || slices.Contains(skip, entry.Name()))
		if skipped && entry.IsDir() {
			return filepath.SkipDir
		}
		if skipped || !entry.Type().IsRegular() {
			return nil
		}
		content, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		found = append(found, wordsIn(relative, content, words)...)
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("look for words: %w", err)
	}
	return sorted(found), nil
}

// wordsIn returns a violation for each line of a file and each word that it has.
func wordsIn(relative string, content []byte, words []Word) []Violation {
	if bytes.IndexByte(content, 0) >= 0 {
		return nil
	}
	var found []Violation
	for i, line := range strings.Split(string(content), "\n") {
		for _, w := range words {
			ends := func(ending string) bool { return strings.HasSuffix(relative, ending) }
			if !strings.Contains(line, w.Text) || len(w.Only) > 0 && !slices.ContainsFunc(w.Only, ends) {
				continue
			}
			found = append(found, Violation{
				Path: relative, Line: i + 1, Rule: WordRule, Subject: relative,
				Text: fmt.Sprintf("%q does not belong here: %s", w.Text, w.Why),
			})
		}
	}
	return found
}
