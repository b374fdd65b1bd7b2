package main

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"hollowtrees.io/examples/custom-consumers/bus"
	"hollowtrees.io/examples/custom-consumers/wire"
)

// After 5 s without a word the server gives the action to another copy.
const keepAliveEvery = 1500 * time.Millisecond

type server struct {
	js                      jetstream.JetStream
	done, incidents, ledger jetstream.KeyValue
	stopping                context.Context
	worker                  wire.Worker
	pager                   string
	client                  http.Client
}

// handle settles a delivery, whatever happens.
func (s *server) handle(message jetstream.Msg) {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	action, err := wire.ParseAction(message, s.worker)
	if err != nil {
		slog.Error("A message is no action.", "subject", message.Subject(), "error", err)
		if letter, err := wire.DeadLetter(message, err); err == nil && bus.Publish(ctx, s.js, letter) == nil {
			message.Term()
		}
		return
	}
	go s.keepAlive(ctx, message, action)
	if err := s.conclude(ctx, action); err != nil { // Nothing is lost: the server hands it out again.
		slog.Warn("An action is handed back.", "action", action.Event, "error", err)
		message.NakWithDelay(2 * time.Second)
		return
	}
	message.Ack()
}

func (s *server) conclude(ctx context.Context, action *wire.Action) error {
	if outcome, err := bus.Read[wire.Outcome](ctx, s.done, action.DoneKey()); err != nil || outcome != nil {
		if err != nil {
			return err
		}
		return s.tell(ctx, action, outcome) // Done before; the telling may have been lost.
	}
	type entry struct {
		State   string
		Redrive uint32
	}
	if ended, err := bus.Read[entry](ctx, s.ledger, action.LedgerKey()); err != nil {
		return err
	} else if ended != nil && ended.State == "done" && ended.Redrive >= action.Redrive {
		return nil // The router ended it, for its time passed or it was withdrawn, and has said so.
	}
	if err := s.look(ctx, action); err != nil {
		return err
	}
	outcome := refuse(action)
	if outcome == nil {
		var err error
		if outcome, err = s.pageAll(ctx, action); err != nil {
			return err
		}
	}
	outcome.Times["endedAt"] = wire.Now()
	record, err := json.Marshal(outcome)
	if err != nil {
		return err
	}
	if _, err := s.done.Put(ctx, action.DoneKey(), record); err != nil {
		return err
	}
	slog.Info("An action ended.", "action", action.Event, "instance", action.Instance, "result", outcome.Result)
	return s.tell(ctx, action, outcome)
}

// refuse gives the outcome of an action that must not be begun.
func refuse(action *wire.Action) *wire.Outcome {
	switch {
	case !action.Live():
		return action.Outcome("skipped", action.Mode, "This was not live: nobody was paged.")
	case action.Withdrawn.Load():
		return action.Outcome("cancelled", "withdrawn", "The incident was withdrawn.")
	case action.Expired() && action.Attempt > 1: // Delivered before, it may have been begun.
		return action.Outcome("failed", "deadline", "Its time had passed.")
	case action.Expired():
		return action.Outcome("expired", "deadline", "Its time had passed.")
	}
	return nil
}

func (s *server) pageAll(ctx context.Context, action *wire.Action) (*wire.Outcome, error) {
	var params struct{ People []string }
	if json.Unmarshal(action.Params, &params) != nil || len(params.People) == 0 {
		return action.Outcome("failed", "no-people", "The rule names nobody to page: set `params.people`."), nil
	}
	action.Times["startedAt"] = wire.Now()
	begun := action.Outcome("progress", "begun", fmt.Sprintf("Paging %d.", len(params.People)))
	if err := s.tell(ctx, action, begun); err != nil {
		return nil, err
	}
	for _, person := range params.People {
		for { // Between two pages it is safe to stop.
			if action.Withdrawn.Load() {
				return action.Outcome("cancelled", "withdrawn", "Withdrawn before "+person+" was paged."), nil
			}
			if action.Expired() {
				return action.Outcome("failed", "deadline", "No time was left to page "+person+"."), nil
			}
			err := s.page(ctx, action, person)
			if err == nil {
				break
			}
			slog.Warn("Cannot page.", "person", person, "error", err)
			if s.stopping.Err() != nil {
				return nil, err // Another copy goes on with it.
			}
			time.Sleep(time.Second)
		}
	}
	return action.Outcome("succeeded", "", "Paged "+strings.Join(params.People, ", ")+"."), nil
}

// keepAlive keeps the delivery ours, and looks whether the incident was withdrawn.
func (s *server) keepAlive(ctx context.Context, message jetstream.Msg, action *wire.Action) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-time.After(keepAliveEvery):
		}
		message.InProgress()
		if err := s.look(ctx, action); err != nil && ctx.Err() == nil {
			slog.Warn("Cannot look at the incident.", "action", action.Event, "error", err)
		}
	}
}
