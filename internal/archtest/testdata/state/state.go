package tree

import (
	_ "embed"
	"errors"
	"fmt"
	other "fmt"
	"regexp"
	"sync"

	"example.com/tree/part"
	"example.com/treehouse"
)

func init() {} // want "init: func init runs without being asked to"

type thing struct{ n int }

func (thing) init() {}

//go:embed state.go
var source string

//go:embed state.go
var (
	sources string
)

var _ fmt.Stringer = nil

var (
	ErrA       = errors.New("a")
	errB       = fmt.Errorf("b: %w", ErrA)
	errC       = other.Errorf("c")
	ErrD       = &thing{1}
	expression = regexp.MustCompile("x")
	byName     = map[string]int{"a": 1}
	list       = []int{1}
	array      = [...]int{1}
	one        = thing{1}
	anonymous  = struct{ a int }{1}
	filled     = func() (t [2]int) { t[0] = 1; return t }()

	pool = sync.Pool{New: func() any { return nil }}
	ours = part.Thing{}

	notError   = errors.New("x")                // want "variable notError is neither an error nor a table"
	pointer    = &thing{1}                      // want "variable pointer is neither"
	counter    int                              // want "variable counter is neither"
	number     = 3                              // want "variable number is neither"
	a, b       = []int{1}, 2                    // want "variable b is neither"
	lock       sync.Mutex                       // want "variable lock is neither"
	once       = sync.Once{}                    // want "variable once is neither"
	house      = treehouse.Thing{}              // want "variable house is neither"
	made       = make(map[string]int)           // want "variable made is neither"
	called     = func() *thing { return nil }() // want "variable called is neither"
	function   = func() {}                      // want "variable function is neither"
	ErrPointer = &sync.Mutex{}                  // want "variable ErrPointer is neither"
	source2    string                           // want "variable source2 is neither"
)

const fine = 1
