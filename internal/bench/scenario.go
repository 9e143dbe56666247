package bench

// The scenarios' names.
const (
	scenarioIdle   = "idle"
	scenarioFanOut = "fan-out"
	scenarioRooms  = "rooms"
	scenarioEcho   = "echo"
	scenarioChat   = "chat"
	scenarioStorm  = "storm"
	scenarioChurn  = "churn"
	scenarioSlow   = "slow"
)

// scenario is what the clients of a test do.
type scenario struct {
	name       string
	about      string
	roomSize   int     // members of a room, unless the options say how many rooms; 0: one room for all
	rate       float64 // publications a second, unless the options say
	window     int     // or that many outstanding
	silent     bool    // nothing is published
	alone      bool    // clients join nothing; each waits for an answer of its own
	stalls     bool    // a share of the readers stops for the middle half of the time
	wanders    bool    // clients leave and join another room after a stay
	returns    bool    // clients disconnect after a stay, and come back
	storms     bool    // all are cut at once in the middle of the time, and come back to where they were
	mustReturn bool    // it takes positions or leaving, which only the native words have
}

// table returns the scenarios.
func table() []scenario {
	return []scenario{
		{name: scenarioIdle, about: "connect, join one room, and wait", silent: true},
		{name: scenarioFanOut, about: "one room with everybody in it", rate: 10},
		{name: scenarioRooms, about: "rooms of 10", roomSize: 10, rate: 1000},
		{name: scenarioEcho, about: "each connection sends, and waits for the answer", alone: true, window: 1},
		{name: scenarioChat, about: "rooms of 50 whose members talk, leave after a while, and join another room", roomSize: 50, rate: 100, wanders: true, mustReturn: true},
		{name: scenarioStorm, about: "rooms of 100; everybody is cut at once and comes back to where it was", roomSize: 100, rate: 100, storms: true, mustReturn: true},
		{name: scenarioChurn, about: "rooms of 50; clients disconnect after a while, and others connect", roomSize: 50, rate: 100, returns: true, mustReturn: true},
		{name: scenarioSlow, about: "rooms of 100 in which some readers stop for half of the time", roomSize: 100, rate: 1000, stalls: true},
	}
}

// Scenarios returns the names of the scenarios.
func Scenarios() []string {
	var names []string
	for _, s := range table() {
		names = append(names, s.name)
	}
	return names
}

// About says what happens in a scenario.
func About(name string) string {
	s, _ := scenarioNamed(name)
	return s.about
}

func scenarioNamed(name string) (scenario, bool) {
	for _, s := range table() {
		if s.name == name {
			return s, true
		}
	}
	return scenario{}, false
}

// rooms returns over how many rooms the clients are spread.
func (s *scenario) rooms(connections int) int {
	switch {
	case s.alone:
		return connections
	case s.roomSize == 0:
		return 1
	}
	return max(1, connections/s.roomSize)
}
