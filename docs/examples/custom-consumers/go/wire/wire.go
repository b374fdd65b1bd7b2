// Package wire is how messages of Hollowtrees look on the bus: subjects, keys, ids, headers, bodies.
package wire

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"net/url"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// Token is a name as a token of a subject or a part of a key.
func Token(name string) string {
	if name == "" {
		return "="
	}
	return escape(name, '=', func(b byte) bool { return alphanumeric(b) || b == '_' || b == '-' })
}

// attribute is the value of a ce- header.
func attribute(value string) string {
	return escape(value, '%', func(b byte) bool { return b > ' ' && b < 0x7f && b != '"' && b != '%' })
}

// segment is a name as a part of a ce-source.
func segment(name string) string {
	return escape(name, '%', func(b byte) bool { return alphanumeric(b) || strings.IndexByte("-._~", b) >= 0 })
}

func alphanumeric(b byte) bool {
	return 'a' <= b && b <= 'z' || 'A' <= b && b <= 'Z' || '0' <= b && b <= '9'
}

func escape(text string, mark byte, plain func(byte) bool) string {
	var out strings.Builder
	for i := range len(text) {
		if plain(text[i]) {
			out.WriteByte(text[i])
		} else {
			fmt.Fprintf(&out, "%c%02X", mark, text[i])
		}
	}
	return out.String()
}

// Attribute finds a header by its name in lower case, however it is written.
func Attribute(message jetstream.Msg, name string) string {
	for found, values := range message.Headers() {
		if strings.EqualFold(found, name) && len(values) > 0 {
			if value, err := url.PathUnescape(values[0]); err == nil {
				return value
			}
		}
	}
	return ""
}

// MessageID is Nats-Msg-Id of an event, from its ce-source and ce-id.
func MessageID(source, event string) string {
	digest := sha256.New()
	for _, field := range []string{"message", source, event} {
		digest.Write(binary.BigEndian.AppendUint64(nil, uint64(len(field))))
		digest.Write([]byte(field))
	}
	return hex.EncodeToString(digest.Sum(nil))[:32]
}

// Now is the time as messages have it.
func Now() string { return text(time.Now()) }

func text(at time.Time) string { return at.UTC().Format("2006-01-02T15:04:05.000Z07:00") }

// DeadLetter is a message nobody could use, whole, and why.
func DeadLetter(of jetstream.Msg, reason error) (*nats.Msg, error) {
	meta, err := of.Metadata()
	if err != nil {
		return nil, err
	}
	cluster := strings.Split(of.Subject(), ".")[3]
	message := nats.NewMsg(strings.Join([]string{"ht.dead.v1", cluster, meta.Stream, Token(meta.Consumer)}, "."))
	message.Data = of.Data()
	for name, values := range of.Headers() {
		message.Header["Ht-Original-"+name] = values
	}
	sequence := fmt.Sprint(meta.Sequence.Stream)
	message.Header.Set("Ht-Dead-Stream", meta.Stream)
	message.Header.Set("Ht-Dead-Consumer", meta.Consumer)
	message.Header.Set("Ht-Dead-Subject", of.Subject())
	message.Header.Set("Ht-Dead-Sequence", sequence)
	message.Header.Set("Ht-Dead-Class", "undecodable")
	message.Header.Set("Ht-Dead-Reason", strings.Join(strings.Fields(reason.Error()), " "))
	message.Header.Set("Ht-Dead-At", Now())
	message.Header.Set("Nats-Msg-Id", MessageID("dead/"+meta.Stream+"/"+meta.Consumer, sequence))
	return message, nil
}
