// Package bus is how a program gets at the bus, and stays there.
package bus

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"os"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// Connect connects, and again whenever the connection is lost, for ever.
func Connect(name string) (*nats.Conn, jetstream.JetStream, error) {
	options := []nats.Option{
		nats.Name(name),
		nats.MaxReconnects(-1),
		nats.ErrorHandler(func(_ *nats.Conn, _ *nats.Subscription, err error) {
			slog.Warn("The bus has something to say.", "error", err)
		}),
	}
	if user := os.Getenv("NATS_USER"); user != "" {
		options = append(options, nats.UserInfo(user, os.Getenv("NATS_PASSWORD")))
	}
	if file := os.Getenv("NATS_CREDS"); file != "" {
		options = append(options, nats.UserCredentials(file))
	}
	nc, err := nats.Connect(cmp.Or(os.Getenv("NATS_URL"), nats.DefaultURL), options...)
	if err != nil {
		return nil, nil, err
	}
	js, err := jetstream.New(nc, jetstream.WithDefaultTimeout(2*time.Second))
	return nc, js, err
}

// Durable binds to a durable consumer, made first if there is none.
func Durable(ctx context.Context, js jetstream.JetStream, stream string, config jetstream.ConsumerConfig) (jetstream.Consumer, error) {
	consumer, err := js.Consumer(ctx, stream, config.Durable)
	if errors.Is(err, jetstream.ErrConsumerNotFound) {
		config.AckPolicy = jetstream.AckExplicitPolicy
		config.MaxDeliver = -1
		config.MaxAckPending = 20_000
		consumer, err = js.CreateConsumer(ctx, stream, config)
	}
	return consumer, err
}

// Bucket is a bucket of one's own, made first if there is none; a record is kept for that long.
func Bucket(ctx context.Context, js jetstream.JetStream, name string, keep time.Duration) (jetstream.KeyValue, error) {
	bucket, err := js.KeyValue(ctx, name)
	if errors.Is(err, jetstream.ErrBucketNotFound) {
		bucket, err = js.CreateKeyValue(ctx, jetstream.KeyValueConfig{Bucket: name, TTL: keep})
	}
	return bucket, err
}

// Publish tries until it is stored; told twice under one Nats-Msg-Id it is stored once.
func Publish(ctx context.Context, js jetstream.JetStream, message *nats.Msg) error {
	for {
		_, err := js.PublishMsg(ctx, message)
		if err == nil || ctx.Err() != nil {
			return err
		}
		slog.Warn("Not stored yet.", "subject", message.Subject, "error", err)
		time.Sleep(500 * time.Millisecond)
	}
}

// Read gives the record of that key; nil if there is none.
func Read[T any](ctx context.Context, bucket jetstream.KeyValue, key string) (*T, error) {
	entry, err := bucket.Get(ctx, key)
	if errors.Is(err, jetstream.ErrKeyNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	record := new(T)
	return record, json.Unmarshal(entry.Value(), record)
}

// Take hands out messages one at a time until ctx ends: one that waits in a buffer of ours is given to another meanwhile.
func Take(ctx context.Context, consumer jetstream.Consumer, handle func(jetstream.Msg)) {
	for ctx.Err() == nil {
		waiting, cancel := context.WithTimeout(ctx, 5*time.Second)
		message, err := consumer.Next(jetstream.FetchContext(waiting))
		cancel()
		switch {
		case err == nil:
			handle(message)
		case ctx.Err() != nil:
		case errors.Is(err, nats.ErrTimeout), errors.Is(err, context.DeadlineExceeded): // Nothing came.
		default:
			slog.Warn("Cannot take messages; trying again.", "error", err)
			time.Sleep(time.Second)
		}
	}
}
