package wire

import (
	"encoding/json"
	"fmt"
	"maps"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// Action is an action as it came, and what became known of it since.
type Action struct {
	ID         string          `json:"id"`
	Cluster    string          `json:"cluster"`
	Kind       string          `json:"kind"`
	Instance   string          `json:"instance"`
	Generation string          `json:"generation"`
	Certainty  string          `json:"certainty"`
	Mode       string          `json:"mode"`
	Deadline   string          `json:"deadline"`
	NoticedAt  string          `json:"noticedAt"`
	Redrive    uint32          `json:"redrive"`
	OnCancel   bool            `json:"onCancel"`
	Params     json.RawMessage `json:"params"`
	Target     struct {
		Provider string `json:"provider"`
	} `json:"target"`

	Event     string            `json:"-"` // Its id, .r<redrive> behind it if redriven.
	Trace     string            `json:"-"` // The incident's trace id.
	Attempt   uint64            `json:"-"` // Deliveries so far, this one included.
	Expiry    time.Time         `json:"-"` // Not to be begun after it; zero where none is known.
	Times     map[string]string `json:"-"`
	Withdrawn atomic.Bool       `json:"-"`
	worker    Worker
}

// ParseAction reads an action; it fails on what is none.
func ParseAction(message jetstream.Msg, worker Worker) (*Action, error) {
	meta, err := message.Metadata()
	if err != nil {
		return nil, err
	}
	a := &Action{worker: worker, Attempt: meta.NumDelivered}
	if err := json.Unmarshal(message.Data(), a); err != nil {
		return nil, err
	}
	subject := fmt.Sprintf("ht.action.v1.%s.%s.%s", Token(a.Cluster), Token(a.Kind), Token(a.Instance))
	if a.ID == "" || message.Subject() != subject {
		return nil, fmt.Errorf("what it says does not belong on %s", message.Subject())
	}
	if redrive, err := strconv.ParseUint(Attribute(message, "ht-redrive"), 10, 32); err == nil {
		a.Redrive = uint32(redrive)
	}
	a.Event = a.ID
	if a.Redrive > 0 {
		a.Event += fmt.Sprintf(".r%d", a.Redrive)
	}
	if parent := Attribute(message, "ce-traceparent"); len(parent) >= 35 {
		a.Trace = parent[3:35]
	}
	for _, name := range []string{"ce-expirytime", "ht-deadline"} {
		if value := Attribute(message, name); value != "" {
			if a.Expiry, err = time.Parse(time.RFC3339, value); err != nil {
				return nil, err
			}
		}
	}
	a.Times = map[string]string{"publishedAt": text(meta.Timestamp), "acceptedAt": Now()}
	if a.NoticedAt != "" {
		a.Times["noticedAt"] = a.NoticedAt
	}
	return a, nil
}

// Live says whether anything may be touched.
func (a *Action) Live() bool { return a.Mode == "" || a.Mode == "live" }

// Expired says whether its time has passed.
func (a *Action) Expired() bool { return !a.Expiry.IsZero() && !time.Now().Before(a.Expiry) }

// DoneKey is where the worker keeps its outcome.
func (a *Action) DoneKey() string { return Token(a.Cluster) + "." + a.Event }

// LedgerKey is its key in ht_ledger.
func (a *Action) LedgerKey() string { return Token(a.Cluster) + "." + a.ID }

// IncidentKey is the key of its incident in ht_incidents, of a live one.
func (a *Action) IncidentKey() string { return Token(a.Cluster) + "." + Token(a.Instance) }

// Incident is what matters of a record of ht_incidents.
type Incident struct {
	Generation string `json:"generation"`
	State      string `json:"state"`
}

// Look takes over what the incident says. Once withdrawn it stays so: a later read may be an older one.
func (a *Action) Look(incident *Incident) {
	if incident == nil || !a.Live() || a.OnCancel { // What undoes a withdrawn incident is not stopped by it.
		return
	}
	ours, _ := strconv.ParseUint(a.Generation, 10, 64)
	theirs, _ := strconv.ParseUint(incident.Generation, 10, 64)
	if theirs == ours && incident.State == "cancelled" || theirs > ours && a.Redrive == 0 {
		a.Withdrawn.Store(true)
	}
}

// Outcome is a result of this action.
func (a *Action) Outcome(result, reason, message string) *Outcome {
	return &Outcome{
		ActionID: a.ID, Cluster: a.Cluster, Kind: a.Kind, Instance: a.Instance, Generation: a.Generation,
		Mode: a.Mode, Certainty: a.Certainty, Deadline: a.Deadline, Redrive: a.Redrive, Provider: a.Target.Provider,
		Result: result, Reason: reason, Message: message, Attempt: a.Attempt, Worker: a.worker,
		Times: maps.Clone(a.Times),
	}
}
