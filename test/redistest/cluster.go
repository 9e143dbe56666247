package redistest

import (
	"bufio"
	"bytes"
	"fmt"
	"net"
	"strconv"
	"strings"
	"time"
)

// slotCount is how many hash slots a cluster has.
const slotCount = 16384

// Cluster starts a cluster of n servers, each with an even part of the slots, and returns when all agree on it.
func Cluster(t T, n int) []*Server {
	t.Helper()
	servers := make([]*Server, n)
	for i := range servers {
		s := Start(t, "--cluster-enabled", "yes", "--cluster-config-file", "nodes.conf", "--cluster-node-timeout", "2000",
			"--cluster-allow-replica-migration", "no") // one without slots stays what it is
		first, last := Slots(i, n)
		s.Must("CLUSTER", "SET-CONFIG-EPOCH", strconv.Itoa(i+1))
		s.Must("CLUSTER", "ADDSLOTSRANGE", strconv.Itoa(first), strconv.Itoa(last))
		servers[i] = s
	}
	host, port, _ := net.SplitHostPort(servers[0].Address)
	for _, s := range servers[1:] {
		s.Must("CLUSTER", "MEET", host, port)
	}
	for _, s := range servers {
		Await(t, s, "cluster_state:ok\r\ncluster_slots_assigned:16384", "CLUSTER", "INFO")
		Await(t, s, fmt.Sprintf("cluster_known_nodes:%d\r\n", n), "CLUSTER", "INFO")
		settled(t, s, n)
	}
	return servers
}

// settled returns when a server of a cluster has shaken hands with all.
func settled(t T, s *Server, n int) {
	t.Helper()
	for deadline := time.Now().Add(patience); ; time.Sleep(20 * time.Millisecond) {
		nodes := s.Must("CLUSTER", "NODES")
		if strings.Count(nodes, " connected") == n && !strings.Contains(nodes, "handshake") {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("the cluster is not whole:\n%s", nodes)
		}
	}
}

// Slots returns the first and the last slot that a server of a cluster was started with, as the i-th of n.
func Slots(i, n int) (first, last int) { return slotCount * i / n, slotCount*(i+1)/n - 1 }

// Move gives the empty slots from one to another to a server of a cluster, whoever had them.
func Move(t T, cluster []*Server, first, last int, to *Server) {
	t.Helper()
	id := to.id()
	var commands [][]string
	for slot := first; slot <= last; slot++ {
		commands = append(commands, []string{"CLUSTER", "SETSLOT", strconv.Itoa(slot), "NODE", id})
	}
	to.Must("CLUSTER", "BUMPEPOCH") // what others are telling of the slots is older
	to.each(commands)               // it takes them on before the others give them up
	for _, s := range cluster {
		if s != to {
			s.each(commands)
		}
	}
}

// Flap has a server of a cluster give up empty slots that it has, each for another server that does not hear of it, and take
// them back at once.
func Flap(t T, s *Server, slots []int, another *Server) {
	t.Helper()
	var commands [][]string
	for _, slot := range slots {
		for _, to := range []*Server{another, s} {
			commands = append(commands, []string{"CLUSTER", "SETSLOT", strconv.Itoa(slot), "NODE", to.id()})
		}
	}
	s.each(commands)
}

// id returns the server's name in its cluster.
func (s *Server) id() string {
	s.t.Helper()
	return strings.TrimSpace(strings.SplitN(s.Must("CLUSTER", "MYID"), "\r\n", 2)[1])
}

// each carries out commands that answer OK, over one connection.
func (s *Server) each(commands [][]string) {
	s.t.Helper()
	c, err := net.DialTimeout("tcp", s.Address, time.Second)
	if err != nil {
		s.t.Fatal(err)
	}
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(patience)) // it fails with the connection
	go func() {
		var b bytes.Buffer
		for _, words := range commands {
			write(&b, words)
		}
		_, _ = c.Write(b.Bytes()) // an answer is missing then
	}()
	answers := bufio.NewReader(c)
	for _, words := range commands {
		answer, err := answers.ReadString('\n')
		if err != nil || answer != "+OK\r\n" {
			s.t.Fatalf("%q at %s: %s%v", words, s.Address, answer, err)
		}
	}
}
