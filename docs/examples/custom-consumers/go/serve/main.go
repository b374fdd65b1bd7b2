// Serves actions of the kind `page-oncall`: pages the people in its `params`, one after another.
//
//	NATS_URL=nats://127.0.0.1:4222 PAGER_URL=http://127.0.0.1:8080/page go run ./serve
//
// The contract it keeps is in docs/custom-consumers.md. One action at a time; more copies share the work.
package main

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"hollowtrees.io/examples/custom-consumers/bus"
	"hollowtrees.io/examples/custom-consumers/wire"
)

const (
	kind    = "page-oncall"
	doneFor = 7 * 24 * time.Hour // As long as the stream keeps an action.
)

// page asks the pager; under one key it pages once, however often it is asked.
func (s *server) page(ctx context.Context, action *wire.Action, person string) error {
	text := fmt.Sprintf("%s in %s goes at %s", action.Instance, action.Cluster, cmp.Or(action.Deadline, "any time"))
	body, err := json.Marshal(map[string]string{"person": person, "text": text})
	if err != nil {
		return err
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, s.pager, bytes.NewReader(body))
	if err != nil {
		return err
	}
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("Idempotency-Key", action.Event+"/"+person)
	request.Header.Set("User-Agent", s.worker.Process)
	answer, err := s.client.Do(request)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	io.Copy(io.Discard, answer.Body)
	if answer.StatusCode >= 300 {
		return fmt.Errorf("the pager answers %s", answer.Status)
	}
	return nil
}

func (s *server) look(ctx context.Context, action *wire.Action) error {
	incident, err := bus.Read[wire.Incident](ctx, s.incidents, action.IncidentKey())
	action.Look(incident)
	return err
}

func (s *server) tell(ctx context.Context, action *wire.Action, outcome *wire.Outcome) error {
	message, err := outcome.Wire(action.Event, action.Trace)
	if err != nil {
		return err
	}
	return bus.Publish(ctx, s.js, message)
}

func run() error {
	stopping, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	nc, js, err := bus.Connect(kind)
	if err != nil {
		return err
	}
	defer nc.Close()
	host, _ := os.Hostname()
	s := &server{js: js, stopping: stopping, pager: cmp.Or(os.Getenv("PAGER_URL"), "http://127.0.0.1:8080/page")}
	s.worker = wire.Worker{Kind: kind, Process: fmt.Sprintf("%s-%d", host, os.Getpid()), Version: "1"}
	s.client.Timeout = 30 * time.Second
	if s.done, err = bus.Bucket(stopping, js, "page_oncall_done", doneFor); err != nil {
		return err
	}
	if s.incidents, err = js.KeyValue(stopping, "ht_incidents"); err != nil {
		return err
	}
	if s.ledger, err = js.KeyValue(stopping, "ht_ledger"); err != nil {
		return err
	}
	actions, err := bus.Durable(stopping, js, "HT_ACTIONS", jetstream.ConsumerConfig{
		Durable: kind, FilterSubject: "ht.action.v1.*." + kind + ".*", AckWait: 5 * time.Second,
	})
	if err != nil {
		return err
	}
	slog.Info("Serving.", "process", s.worker.Process)
	bus.Take(stopping, actions, s.handle)
	slog.Info("Stopped.")
	return nc.FlushTimeout(2 * time.Second)
}

func main() {
	if err := run(); err != nil {
		slog.Error("Cannot serve.", "error", err)
		os.Exit(1)
	}
}
