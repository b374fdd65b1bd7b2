package main

import (
	"errors"
	"io"
	"slices"
	"strings"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	utilerrors "k8s.io/apimachinery/pkg/util/errors"
	"k8s.io/kubectl/pkg/drain"
)

// node is one node and what became of its pods, which are called namespace/name. Times are offsets from the start.
type node struct {
	Name string `json:"name"`
	// CordonedMS is nil where it was not cordoned.
	CordonedMS *int64 `json:"cordoned_ms"`
	// DrainedMS is when the drain ended, well or not.
	DrainedMS int64 `json:"drained_ms"`
	// Delete are the pods that the filters let go.
	Delete []string `json:"delete"`
	// Refused are the pods because of which the whole node is refused, and why.
	Refused  map[string]string `json:"refused"`
	Warnings string            `json:"warnings"`
	// Asked are the pods whose eviction or deletion was asked for.
	Asked []string `json:"asked"`
	// Gone are those that were then waited for until they were gone.
	Gone []string `json:"gone"`
	// Errors are empty where the drain succeeded.
	Errors []string `json:"errors"`

	mu sync.Mutex
}

// drain cordons and drains it as kubectl does.
func (n *node) drain(helper drain.Helper, cordon bool, start time.Time) {
	defer func() { n.DrainedMS = time.Since(start).Milliseconds() }()
	helper.Out, helper.ErrOut = io.Discard, io.Discard
	helper.OnPodDeletionOrEvictionStarted = func(pod *corev1.Pod, _ bool) { n.note(&n.Asked, pod) }
	helper.OnPodDeletionOrEvictionFinished = func(pod *corev1.Pod, _ bool, err error) {
		if err == nil {
			n.note(&n.Gone, pod)
		}
	}
	if cordon {
		if err := n.cordon(&helper); err != nil {
			n.failed(err)
			return
		}
		cordoned := time.Since(start).Milliseconds()
		n.CordonedMS = &cordoned
	}
	pods, refusals := helper.GetPodsForDeletion(n.Name)
	if pods != nil {
		n.Warnings = pods.Warnings()
		for _, pod := range pods.Pods() {
			n.note(&n.Delete, &pod)
		}
	}
	if len(refusals) > 0 {
		for _, refusal := range refusals {
			n.refused(refusal)
		}
		return
	}
	n.failed(helper.DeleteOrEvictPods(pods.Pods()))
}

func (n *node) cordon(helper *drain.Helper) error {
	object, err := helper.Client.CoreV1().Nodes().Get(helper.Ctx, n.Name, metav1.GetOptions{})
	if err != nil {
		return err
	}
	return drain.RunCordonOrUncordon(helper, object, true)
}

// refused reads which pods a refusal is about: "cannot delete <why>: <pod>, <pod>".
func (n *node) refused(refusal error) {
	n.failed(refusal)
	text := refusal.Error()
	at := strings.LastIndex(text, ": ")
	if at < 0 {
		return
	}
	for _, pod := range strings.Split(text[at+2:], ", ") {
		n.Refused[pod] = strings.TrimPrefix(text[:at], "cannot delete ")
	}
}

// failed notes an error, or each of those that were joined into one.
func (n *node) failed(err error) {
	var joined utilerrors.Aggregate
	switch {
	case err == nil:
	case errors.As(err, &joined):
		for _, one := range joined.Errors() {
			n.Errors = append(n.Errors, one.Error())
		}
	default:
		n.Errors = append(n.Errors, err.Error())
	}
}

// note notes a pod once.
func (n *node) note(in *[]string, pod *corev1.Pod) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if path := pod.Namespace + "/" + pod.Name; !slices.Contains(*in, path) {
		*in = append(*in, path)
	}
}
