package client

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wireroom/wireroom/protocol"
)

func TestPublishesAreResentInOrderAfterAReconnect(t *testing.T) {
	inTime(t, func(t *testing.T) {
		c, l, p := start(t, Options{})
		first, second := publish(t, c, 1), publish(t, c, 2)
		e1, e2 := p.expect("publish"), p.expect("publish")
		p.cut()
		synctest.Wait()
		third := publish(t, c, 3) // given without a connection
		p = l.open()
		for i, want := range []*envelope{e1, e2} {
			e := p.expect("publish")
			if e.Producer != want.Producer || e.Seq != want.Seq || string(e.Data) != string(want.Data) {
				t.Errorf("%d: the client sent %+v, at first %+v", i, e, want)
			}
			p.published(e, i+1)
		}
		e := p.expect("publish")
		if e.Seq != 3 || string(e.Data) != "3" {
			t.Errorf("the client sent %+v", e)
		}
		p.published(e, 3)
		first.must(t)
		second.must(t)
		third.must(t)
	})
}

func TestARefusalThatMayPassIsRetriedFromTheFirst(t *testing.T) {
	inTime(t, func(t *testing.T) {
		c, _, p := start(t, Options{})
		var results []*outcome[protocol.Published]
		for i := range 3 {
			results = append(results, publish(t, c, i))
		}
		e1, e2, e3 := p.expect("publish"), p.expect("publish"), p.expect("publish")
		p.published(e1, 1)
		p.fail(e2, "overloaded", `"retry_after":2`)
		synctest.Wait()
		results = append(results, publish(t, c, 3)) // must not overtake
		began := time.Now()
		p.fail(e3, "out_of_order", "")
		for i, want := range []*envelope{e2, e3} {
			e := p.expect("publish")
			if e.Seq != want.Seq || string(e.Data) != string(want.Data) {
				t.Errorf("%d: the client sent %+v, at first %+v", i, e, want)
			}
			if i == 0 && time.Since(began) != 2*time.Second {
				t.Errorf("it tried again after %v", time.Since(began))
			}
			p.published(e, i+2)
		}
		p.published(p.expect("publish"), 4)
		for _, r := range results {
			r.must(t)
		}
	})
}

func TestAProducerThatIsUnknownIsReplaced(t *testing.T) {
	inTime(t, func(t *testing.T) {
		c, _, p := start(t, Options{})
		first := publish(t, c, 1)
		old := p.expect("publish")
		p.published(old, 1)
		first.must(t)
		second, third := publish(t, c, 2), publish(t, c, 3) // the server has forgotten the producer meanwhile
		p.fail(p.expect("publish"), "out_of_order", "")
		p.fail(p.expect("publish"), "out_of_order", "")
		e2, e3 := p.expect("publish"), p.expect("publish")
		if e2.Producer == old.Producer || e2.Seq != 1 || string(e2.Data) != "2" || e3.Producer != e2.Producer || e3.Seq != 2 || string(e3.Data) != "3" {
			t.Errorf("the client sent %+v and %+v", e2, e3)
		}
		p.published(e2, 2)
		p.published(e3, 3)
		second.must(t)
		third.must(t)
	})
}

func TestWhatFollowsARefusalIsNumberedAnew(t *testing.T) {
	inTime(t, func(t *testing.T) {
		c, _, p := start(t, Options{})
		bad := publish(t, c, "bad")
		e := p.expect("publish")
		p.fail(e, "invalid_data", "")
		var refused *protocol.Error
		if _, err := bad.wait(); !errors.As(err, &refused) || refused.Code != protocol.CodeInvalidData || errors.Is(err, ErrUncertain) {
			t.Errorf("Publish returned %v", err)
		}
		bad, good := publish(t, c, "bad again"), publish(t, c, "good")
		again := p.expect("publish") // nothing was behind the first, so its number is free
		if again.Producer != e.Producer || again.Seq != 1 {
			t.Errorf("the client sent %+v", again)
		}
		e2 := p.expect("publish")
		p.fail(again, "forbidden", "")
		p.fail(e2, "out_of_order", "")
		e2 = p.expect("publish") // nobody knows what an old connection still has: another producer
		if e2.Producer == e.Producer || e2.Seq != 1 || string(e2.Data) != `"good"` {
			t.Errorf("the client sent %+v", e2)
		}
		p.published(e2, 1)
		good.must(t)
		if _, err := bad.wait(); !errors.As(err, &refused) || refused.Code != protocol.CodeForbidden {
			t.Errorf("Publish returned %v", err)
		}
	})
}

func TestAKeyTakesThePlaceOfTheNumber(t *testing.T) {
	inTime(t, func(t *testing.T) {
		c, l, p := start(t, Options{})
		publish(t, c, 1)
		keyed := publish(t, c, 2, PublishOptions{Key: "order-7"})
		third := publish(t, c, 3)
		first := p.expect("publish")
		p.silent()
		p.published(first, 1)
		e := p.expect("publish")
		p.silent() // each is settled before the next one goes
		if e.Key != "order-7" || e.Producer != "" || e.Seq != 0 {
			t.Errorf("the client sent %+v", e)
		}
		p.cut()
		p = l.open()
		e = p.expect("publish")
		if e.Key != "order-7" {
			t.Errorf("the client sent %+v", e)
		}
		p.published(e, 2)
		keyed.must(t)
		e = p.expect("publish")
		if e.Seq != 2 || string(e.Data) != "3" {
			t.Errorf("the client sent %+v", e)
		}
		p.published(e, 3)
		third.must(t)
	})
}

func TestANumberNeverStandsForTwoMessages(t *testing.T) {
	inTime(t, func(t *testing.T) {
		c, l, p := start(t, Options{})
		one, two := publish(t, c, 1), publish(t, c, 2)
		e1, e2 := p.expect("publish"), p.expect("publish")
		p.cut() // the server may still have both in the connection's bytes
		p = l.open()
		again1, again2 := p.expect("publish"), p.expect("publish")
		p.fail(again1, "forbidden", "")
		if _, err := one.wait(); !errors.Is(err, ErrUncertain) {
			t.Errorf("Publish returned %v", err)
		}
		three := publish(t, c, 3)
		p.fail(again2, "out_of_order", "")
		e := p.expect("publish")
		if e.Producer != e2.Producer || e.Seq != e2.Seq || string(e.Data) != "2" {
			t.Errorf("the client sent %+v, at first %+v", e, e2)
		}
		p.silent() // what is new must not be stored before what is old
		p.fail(e, "out_of_order", "")
		e = p.expect("publish") // now nothing can be stored under the old number
		if e.Producer == e1.Producer || e.Seq != 1 || string(e.Data) != "2" {
			t.Errorf("the client sent %+v", e)
		}
		p.published(e, 1)
		e = p.expect("publish")
		if e.Seq != 2 || string(e.Data) != "3" {
			t.Errorf("the client sent %+v", e)
		}
		p.published(e, 2)
		two.must(t)
		three.must(t)
	})
}

func TestTheNumberOfARefusedMessageIsNotUsedAgainIfAnOldConnectionHadIt(t *testing.T) {
	inTime(t, func(t *testing.T) {
		c, l, p := start(t, Options{})
		one := publish(t, c, 1)
		e1 := p.expect("publish")
		p.cut()
		p = l.open()
		p.fail(p.expect("publish"), "forbidden", "")
		_, _ = one.wait()
		two := publish(t, c, 2)
		e := p.expect("publish")
		if e.Producer == e1.Producer || e.Seq != 1 {
			t.Errorf("the client sent %+v, before %+v", e, e1)
		}
		p.published(e, 1)
		two.must(t)
	})
}

func TestOutOfOrderSaysThatNothingWasStored(t *testing.T) {
	inTime(t, func(t *testing.T) {
		c, l, p := start(t, Options{})
		one, two := publish(t, c, 1), publish(t, c, 2)
		p.expect("publish")
		p.expect("publish")
		p.cut()
		p = l.open()
		p.fail(p.expect("publish"), "storage_full", `"retry_after":60`)
		p.fail(p.expect("publish"), "out_of_order", "")
		synctest.Wait()
		p.cut()
		_ = c.Close()
		if _, err := one.wait(); !errors.Is(err, ErrClosed) || !errors.Is(err, ErrUncertain) {
			t.Errorf("Publish returned %v", err)
		}
		if _, err := two.wait(); !errors.Is(err, ErrClosed) || errors.Is(err, ErrUncertain) {
			t.Errorf("Publish returned %v", err)
		}
	})
}

func TestAServerThatTakesNoNumberIsNotHurried(t *testing.T) {
	inTime(t, func(t *testing.T) {
		c, _, p := start(t, Options{})
		publish(t, c, 1)
		began, tries := time.Now(), 0
		for ; time.Since(began) < time.Minute; tries++ {
			p.fail(p.expect("publish"), "out_of_order", "")
		}
		if tries > 100 {
			t.Errorf("%d tries in a minute", tries)
		}
	})
}
