// Prints every notice and every outcome, one line each, and goes on where it stopped.
//
//	NATS_URL=nats://127.0.0.1:4222 go run ./watch [NAME]
//
// NAME (default `watch`) is what the place it has read to is kept under on the server: its durable consumers are called
// NAME-notices and NAME-outcomes. The first start begins with what is new. What was printed and not yet acknowledged when
// it was killed is printed again.
package main

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"hollowtrees.io/examples/custom-consumers/bus"
)

func line(message jetstream.Msg) string {
	var said struct{ Cluster, Instance, Kind, State, Mode, Deadline, Result, Reason, Message string }
	if err := json.Unmarshal(message.Data(), &said); err != nil {
		return fmt.Sprintf("unreadable %s: %v", message.Subject(), err)
	}
	words := []string{"outcome", said.Cluster, said.Instance, said.Kind, said.Result, said.Reason, said.Message}
	if strings.HasPrefix(message.Subject(), "ht.notice.") {
		state, mode := cmp.Or(said.State, "active"), cmp.Or(said.Mode, "live")
		deadline := cmp.Or(said.Deadline, "no deadline")
		words = []string{"notice", said.Cluster, said.Instance, said.Kind, state, mode, deadline}
	}
	return strings.Join(strings.Fields(strings.Join(words, " ")), " ")
}

func run(name string) error {
	stopping, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	nc, js, err := bus.Connect(name)
	if err != nil {
		return err
	}
	defer nc.Close()
	print := func(message jetstream.Msg) {
		fmt.Println(line(message))
		message.Ack()
	}
	for stream, feed := range map[string]string{"HT_NOTICES": "notice", "HT_OUTCOMES": "outcome"} {
		consumer, err := bus.Durable(stopping, js, stream, jetstream.ConsumerConfig{
			Durable:       name + "-" + feed + "s",
			DeliverPolicy: jetstream.DeliverNewPolicy,
			FilterSubject: "ht." + feed + ".v1.>",
			AckWait:       30 * time.Second,
		})
		if err != nil {
			return err
		}
		reading, err := consumer.Consume(print, jetstream.ConsumeErrHandler(func(_ jetstream.ConsumeContext, err error) {
			slog.Warn("Cannot read; trying again.", "stream", stream, "error", err)
		}))
		if err != nil {
			return err
		}
		defer reading.Stop()
	}
	slog.Info("Watching.")
	<-stopping.Done()
	return nc.FlushTimeout(2 * time.Second)
}

func main() {
	name := "watch"
	if len(os.Args) > 1 {
		name = os.Args[1]
	}
	if err := run(name); err != nil {
		slog.Error("Cannot watch.", "error", err)
		os.Exit(1)
	}
}
