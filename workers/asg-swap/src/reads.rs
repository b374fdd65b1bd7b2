//! What swaps ask of AWS, many in one call, the end of instances too; and the queue of their launches.
//!
//! Who asks while a call is under way, or too soon after it, is in the next one: an answer is never older than its
//! question. The more swaps are open, the longer is waited between two calls of a kind, so that what a burst asks does not
//! grow with it; and longer still while AWS throttles them.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap, VecDeque},
    future::Future,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use hollowtrees_aws::{Membership, Refusal, Region};
use hollowtrees_domain::swap::{
    source::Need,
    world::{Configuration, Fitting, Group, Instance, Template, TemplateRef},
};
use tokio::{sync::oneshot, time::Instant};

use crate::{cloud::Cloud, launches::Launches};

mod kinds;

use kinds::{
    ClassicHealth, Configurations, FittingTypes, Groups, Instances, Launched, Memberships, Replacements,
    TargetHealth, Templates, Terminations,
};

/// Between two calls of a kind, for each open swap; and at most.
const EACH: Duration = Duration::from_micros(1_250);
const LONGEST: Duration = Duration::from_millis(500);
/// A call that follows on a pause waits for a part of that, for those who ask at the same time; for all of it where each key is
/// a call of its own.
const GATHERS: u32 = 10;
/// What is added once AWS throttles: doubled with each throttled call, halved with each answer.
const SLOWER: (Duration, Duration) = (Duration::from_millis(250), Duration::from_secs(8));

/// Between a template's id and its version.
const BETWEEN: char = '@';

/// What is read of one region.
pub(crate) struct Reads {
    /// The region itself, for what changes something.
    pub(crate) cloud: Cloud,
    /// Whose launch is next.
    pub(crate) launches: Arc<Launches>,
    open: Arc<AtomicUsize>,
    groups: Arc<Line<Groups>>,
    memberships: Arc<Line<Memberships>>,
    instances: Arc<Line<Instances>>,
    launched: Arc<Line<Launched>>,
    replacements: Arc<Line<Replacements>>,
    templates: Arc<Line<Templates>>,
    health: Arc<Line<TargetHealth>>,
    classic_health: Arc<Line<ClassicHealth>>,
    configurations: Arc<Line<Configurations>>,
    fitting: Arc<Line<FittingTypes>>,
    terminations: Arc<Line<Terminations>>,
}

impl Reads {
    /// `open`: how many swaps are open in this process.
    pub(crate) fn new(cloud: Cloud, open: Arc<AtomicUsize>) -> Self {
        Self {
            cloud,
            launches: Arc::default(),
            open,
            groups: Arc::default(),
            memberships: Arc::default(),
            instances: Arc::default(),
            launched: Arc::default(),
            replacements: Arc::default(),
            templates: Arc::default(),
            health: Arc::default(),
            classic_health: Arc::default(),
            configurations: Arc::default(),
            fitting: Arc::default(),
            terminations: Arc::default(),
        }
    }

    pub(crate) async fn group(&self, name: &str) -> Result<Option<Group>, Refusal> {
        self.ask(&self.groups, name).await
    }

    pub(crate) async fn membership(&self, instance: &str) -> Result<Option<Membership>, Refusal> {
        self.ask(&self.memberships, instance).await
    }

    pub(crate) async fn instance(&self, id: &str) -> Result<Option<Instance>, Refusal> {
        self.ask(&self.instances, id).await
    }

    /// What an action launched, and has neither ended nor is ending.
    pub(crate) async fn launched_by(&self, action: &str) -> Result<Vec<Instance>, Refusal> {
        Ok(self.ask(&self.launched, action).await?.unwrap_or_default())
    }

    /// What any action launched for this instance, and has neither ended nor is ending.
    pub(crate) async fn replacements_of(&self, old: &str) -> Result<Vec<Instance>, Refusal> {
        Ok(self.ask(&self.replacements, old).await?.unwrap_or_default())
    }

    /// None: there is no such template or version.
    pub(crate) async fn template(&self, of: &TemplateRef) -> Result<Option<Template>, Refusal> {
        let key = format!("{}{BETWEEN}{}", of.id, of.version);
        self.ask(&self.templates, &key).await
    }

    /// Whether the targets of a target group get requests, by id. None: it is gone.
    pub(crate) async fn target_health(&self, arn: &str) -> Result<Option<BTreeMap<String, bool>>, Refusal> {
        self.ask(&self.health, arn).await
    }

    /// Instances that a classic load balancer sends requests to. None: it is gone.
    pub(crate) async fn classic_health(&self, name: &str) -> Result<Option<BTreeSet<String>>, Refusal> {
        self.ask(&self.classic_health, name).await
    }

    /// None: there is no launch configuration of this name.
    pub(crate) async fn configuration(&self, name: &str) -> Result<Option<Configuration>, Refusal> {
        self.ask(&self.configurations, name).await
    }

    /// Types that meet requirements; none: there is no such image.
    pub(crate) async fn fitting(&self, need: &Need) -> Result<Option<Vec<Fitting>>, Refusal> {
        let key = serde_json::to_string(need).map_err(|error| Refusal::Unclear {
            message: format!("requirements cannot be written: {error}"),
        })?;
        self.ask(&self.fitting, &key).await
    }

    /// Ends an instance. Whoever goes away before it is asked for has it not ended.
    pub(crate) async fn terminate(&self, instance: &str) -> Result<(), Refusal> {
        self.ask(&self.terminations, instance).await.map(drop)
    }

    async fn ask<K: Kind>(&self, line: &Arc<Line<K>>, key: &str) -> Result<Option<K::Found>, Refusal> {
        let (tell, told) = oneshot::channel();
        if line.put(key, tell) {
            tokio::spawn(Arc::clone(line).serve(self.cloud.clone(), Arc::clone(&self.open)));
        }
        told.await.unwrap_or_else(|_| {
            Err(Refusal::Unclear {
                message: "the process ends".to_owned(),
            })
        })
    }
}

/// A question that can be asked about many at once.
trait Kind: Send + Sync + 'static {
    /// What is found of one.
    type Found: Clone + Send;
    /// The name of the call, for metrics.
    const CALL: &'static str;
    /// As many as a call takes; or, one by one, calls side by side.
    const AT_ONCE: usize;
    /// There is no call for several. Who asks the same a little later needs none.
    const ONE_BY_ONE: bool = false;
    /// AWS asks for the right to each of several: that it is denied may be about another one of them.
    const RIGHT_TO_EACH: bool = false;

    fn call(
        region: &Region,
        keys: &[String],
    ) -> impl Future<Output = Result<HashMap<String, Self::Found>, Refusal>> + Send;
}

type Answer<K> = Result<Option<<K as Kind>::Found>, Refusal>;

/// Those who wait for an answer of one kind.
struct Line<K: Kind>(Mutex<State<K>>);

struct State<K: Kind> {
    /// In the order in which they asked.
    waiting: VecDeque<(String, Vec<oneshot::Sender<Answer<K>>>)>,
    /// Somebody serves them.
    served: bool,
    called_at: Option<Instant>,
    slower: Duration,
}

impl<K: Kind> Default for Line<K> {
    fn default() -> Self {
        Self(Mutex::new(State {
            waiting: VecDeque::new(),
            served: false,
            called_at: None,
            slower: Duration::ZERO,
        }))
    }
}

impl<K: Kind> Line<K> {
    fn state(&self) -> MutexGuard<'_, State<K>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// `true`: nobody serves the line yet; whoever is told so has to.
    fn put(&self, key: &str, tell: oneshot::Sender<Answer<K>>) -> bool {
        let mut state = self.state();
        match state.waiting.iter_mut().find(|(waiting, _)| waiting == key) {
            Some((_, askers)) => askers.push(tell),
            None => state.waiting.push_back((key.to_owned(), vec![tell])),
        }
        !std::mem::replace(&mut state.served, true)
    }

    /// Until nobody waits.
    async fn serve(self: Arc<Self>, cloud: Cloud, open: Arc<AtomicUsize>) {
        loop {
            let at = self.state().next_call(spacing(open.load(Ordering::Relaxed)));
            tokio::time::sleep_until(at).await;
            let batch = self.state().take();
            if batch.is_empty() {
                return;
            }
            let keys: Vec<String> = batch.iter().map(|(key, _)| key.clone()).collect();
            let answer = cloud.told(K::CALL, K::call(&cloud.region, &keys).await);
            self.state().learn(answer.as_ref().err());
            let alone = keys.len() == 1;
            for (key, askers) in batch {
                let answer = match &answer {
                    Ok(found) => Ok(found.get(&key).cloned()),
                    Err(refusal) if !alone && may_be_of_another::<K>(refusal) => {
                        let own = K::call(&cloud.region, std::slice::from_ref(&key)).await;
                        cloud.told(K::CALL, own).map(|mut found| found.remove(&key))
                    }
                    Err(refusal) => Err(refusal.clone()),
                };
                for asker in askers {
                    // Whose swap ended meanwhile has no use for it.
                    drop(asker.send(answer.clone()));
                }
            }
        }
    }
}

impl<K: Kind> State<K> {
    fn next_call(&self, spacing: Duration) -> Instant {
        let (full, gathers) = if K::ONE_BY_ONE {
            (2 * K::AT_ONCE, 1)
        } else {
            (K::AT_ONCE, GATHERS)
        };
        // What is full gains nothing by waiting: more would have to wait for the next call anyway.
        let spacing = if self.waiting.len() < full {
            spacing
        } else {
            Duration::ZERO
        };
        let gathered = Instant::now() + spacing / gathers;
        self.called_at
            .map_or(gathered, |at| gathered.max(at + spacing + self.slower))
    }

    fn take(&mut self) -> Vec<(String, Vec<oneshot::Sender<Answer<K>>>)> {
        // Who went away has no use for an answer.
        self.waiting
            .retain(|(_, askers)| askers.iter().any(|asker| !asker.is_closed()));
        let many = self.waiting.len().min(K::AT_ONCE);
        let batch: Vec<_> = self.waiting.drain(..many).collect();
        self.served = !batch.is_empty();
        if self.served {
            self.called_at = Some(Instant::now());
        }
        batch
    }

    fn learn(&mut self, refusal: Option<&Refusal>) {
        self.slower = match refusal {
            Some(Refusal::Throttled { .. }) => (self.slower * 2).clamp(SLOWER.0, SLOWER.1),
            Some(_) => self.slower,
            None => self.slower / 2,
        };
    }
}

fn spacing(open: usize) -> Duration {
    EACH.saturating_mul(u32::try_from(open).unwrap_or(u32::MAX))
        .min(LONGEST)
}

/// Whether what is refused of several may be done to some of them.
fn may_be_of_another<K: Kind>(refusal: &Refusal) -> bool {
    match refusal {
        Refusal::Rejected { .. } | Refusal::Missing { .. } => true,
        Refusal::Denied { .. } => K::RIGHT_TO_EACH,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn waiting(line: &Line<Groups>) -> Vec<String> {
        let state = line.state();
        state.waiting.iter().map(|(key, _)| key.clone()).collect()
    }

    #[test]
    fn who_asks_the_same_shares_the_answer_and_the_first_one_serves() {
        let line = Line::<Groups>::default();
        let mut asked = Vec::new();
        let mut ask = |key: &str| {
            let (tell, told) = oneshot::channel();
            asked.push(told);
            line.put(key, tell)
        };
        assert!(ask("a"));
        assert!(!ask("b"));
        assert!(!ask("a"));
        assert_eq!(waiting(&line), ["a", "b"]);
        assert_eq!(line.state().take().len(), 2);
        assert!(!ask("c"), "it is served still");
        assert_eq!(line.state().take().len(), 1);
        assert!(line.state().take().is_empty());
        assert!(ask("d"), "nobody serves it any more");
    }

    #[tokio::test(start_paused = true)]
    async fn who_asks_the_same_is_waited_for_where_each_is_a_call() {
        let line = Line::<Templates>::default();
        let mut asked = 0;
        let mut wait = |keys: u32| {
            for _ in 0..keys {
                line.put(&asked.to_string(), oneshot::channel().0);
                asked += 1;
            }
            line.state().next_call(spacing(200)) - Instant::now()
        };
        assert_eq!(wait(39), Duration::from_millis(250));
        assert_eq!(wait(1), Duration::ZERO);
    }

    #[test]
    fn what_is_denied_of_several_is_asked_for_each_where_the_right_is_to_each() {
        let denied = Refusal::Denied {
            code: "UnauthorizedOperation".into(),
            message: String::new(),
        };
        assert!(may_be_of_another::<Terminations>(&denied));
        assert!(!may_be_of_another::<Memberships>(&denied));
        let refused = Refusal::Rejected {
            code: "IncorrectInstanceState".into(),
            message: String::new(),
        };
        assert!(may_be_of_another::<Memberships>(&refused));
        let unclear = Refusal::Unclear {
            message: String::new(),
        };
        assert!(!may_be_of_another::<Terminations>(&unclear));
    }

    #[test]
    fn a_call_has_no_more_than_it_may() {
        let line = Line::<Memberships>::default();
        let mut asked = VecDeque::new();
        for number in 0..121 {
            let (tell, told) = oneshot::channel();
            line.put(&number.to_string(), tell);
            asked.push_back(told);
        }
        // The first one goes away.
        asked.pop_front();
        let sizes = [(); 4].map(|()| line.state().take().len());
        assert_eq!(sizes, [50, 50, 20, 0]);
    }

    #[tokio::test(start_paused = true)]
    async fn calls_are_apart_by_how_much_is_open_and_by_what_is_throttled() {
        let line = Line::<Groups>::default();
        let wait = || line.state().next_call(spacing(200)) - Instant::now();
        assert_eq!(wait(), Duration::from_millis(25));
        let (tell, _told) = oneshot::channel();
        line.put("a", tell);
        line.state().take();
        assert_eq!(wait(), Duration::from_millis(250));
        let throttled = Refusal::Throttled {
            after: Duration::from_secs(1),
            message: String::new(),
        };
        line.state().learn(Some(&throttled));
        assert_eq!(wait(), Duration::from_millis(500));
        line.state().learn(Some(&throttled));
        assert_eq!(wait(), Duration::from_millis(750));
        line.state().learn(None);
        assert_eq!(wait(), Duration::from_millis(500));
        assert_eq!(spacing(1), Duration::from_micros(1_250));
        assert_eq!(spacing(100_000), Duration::from_millis(500));
    }
}
