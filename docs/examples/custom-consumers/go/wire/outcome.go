package wire

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/nats-io/nats.go"
)

// Outcome is what became of an action.
type Outcome struct {
	ActionID   string            `json:"actionId"`
	Cluster    string            `json:"cluster"`
	Kind       string            `json:"kind"`
	Instance   string            `json:"instance"`
	Generation string            `json:"generation,omitempty"`
	Mode       string            `json:"mode,omitempty"`
	Certainty  string            `json:"certainty,omitempty"`
	Deadline   string            `json:"deadline,omitempty"`
	Redrive    uint32            `json:"redrive,omitempty"`
	Provider   string            `json:"provider,omitempty"`
	Result     string            `json:"result"`
	Reason     string            `json:"reason,omitempty"`
	Message    string            `json:"message,omitempty"`
	Attempt    uint64            `json:"attempt"`
	Worker     Worker            `json:"worker"`
	Times      map[string]string `json:"times"`
}

// Worker is who worked.
type Worker struct {
	Kind    string `json:"kind"`
	Process string `json:"process"`
	Version string `json:"version"`
}

// Wire is the outcome as it is published; event is the action's id, .r<redrive> behind it if redriven.
func (o *Outcome) Wire(event, trace string) (*nats.Msg, error) {
	source := "/hollowtrees/" + segment(o.Cluster) + "/" + segment(o.Kind)
	event += "." + o.Result
	if o.Result == "progress" {
		event += fmt.Sprintf(".%s.%d", o.Reason, o.Attempt)
	}
	id := MessageID(source, event)
	attributes := map[string]string{
		"specversion":     "1.0",
		"id":              event,
		"source":          source,
		"type":            "io.hollowtrees.outcome.v1",
		"datacontenttype": "application/json",
		"dataschema":      "https://hollowtrees.io/schemas/v1/outcome",
		"subject":         o.Instance,
		"time":            o.Times["endedAt"],
		"partitionkey":    o.Instance,
	}
	if trace != "" {
		attributes["traceparent"] = "00-" + trace + "-" + id[:16] + "-01"
	}
	tokens := []string{"ht.outcome.v1", Token(o.Cluster), Token(o.Kind), o.Result, Token(o.Instance)}
	message := nats.NewMsg(strings.Join(tokens, "."))
	message.Header["Nats-Msg-Id"] = []string{id}
	for name, value := range attributes {
		if value != "" {
			message.Header["ce-"+name] = []string{attribute(value)}
		}
	}
	var err error
	message.Data, err = json.Marshal(o)
	return message, err
}
