package kubelet

import (
	"fmt"
	"math"
	"os"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// Annotations that say how a simulated node or pod behaves. Each value is a duration such as 3s, or "never".
const (
	// On a pod: from its binding to phase Running.
	startAfter = "testbed.hollowtrees.io/start-after"
	// On a pod: from Running to Ready. On a node: from its creation to Ready.
	readyAfter = "testbed.hollowtrees.io/ready-after"
	// On a pod: from Running to phase Succeeded; never, if it is not set.
	completeAfter = "testbed.hollowtrees.io/complete-after"
	// On a pod: from the deletion until its containers have ended by themselves; when its grace period is over before,
	// they are killed. "never": not even then, as on a node that hangs; only a forced deletion removes it.
	exitAfter = "testbed.hollowtrees.io/exit-after"
	// On a node: "stopped" leaves its pods, and itself, as they are, as a node does whose kubelet hangs.
	kubeletState = "testbed.hollowtrees.io/kubelet"
)

const never = time.Duration(math.MaxInt64)

// after reads an annotation; what cannot be read is reported and counts as not set.
func after(object metav1.Object, annotation string, unset time.Duration) time.Duration {
	text, found := object.GetAnnotations()[annotation]
	switch {
	case !found:
		return unset
	case text == "never":
		return never
	}
	duration, err := time.ParseDuration(text)
	if err != nil {
		fmt.Fprintf(os.Stderr, "kubelet: %s/%s: annotation %s: %q is neither a duration nor \"never\"\n",
			object.GetNamespace(), object.GetName(), annotation, text)
		return unset
	}
	return duration
}

// due is the time so long after start; the zero time, which no time comes after, for never.
func due(start time.Time, wait time.Duration) time.Time {
	if wait == never {
		return time.Time{}
	}
	return start.Add(wait)
}

// left is the time until due, nil for never.
func left(due, now time.Time) *time.Duration {
	if due.IsZero() {
		return nil
	}
	wait := due.Sub(now)
	return &wait
}
