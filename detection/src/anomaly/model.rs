//! How far a window lies from the host's usual ones: principal components of the standardised baseline.
//!
//! Two distances count. Within the components' space a window may lie far out along directions in which the host does vary (Hotelling's
//! T²); outside of it, it breaks the proportions that the host keeps to (the residual Q). Their sum, each in units of what is usual, is
//! compared with the baseline's own, each window measured by a model that had not seen it, since a model flatters what it
//! was made from. Beyond what the baseline ever showed, the logarithm of the distance is taken to have an exponential tail.
//!
//! A host whose load comes in bursts has many distant windows, among which one that does something new would not stand out. So a third
//! distance is measured apart: by how much a window beats the baseline's record in each feature. Bursts beat records by little; a failed
//! login where there had never been one beats it by a lot. The two probabilities count as two tries.

use std::error::Error;

use linfa::{DatasetBase, traits::Fit};
use linfa_reduction::Pca;
use ndarray::{Array1, Array2, s};

use super::feature::{Counts, FEATURES};

/// Components kept.
const COMPONENTS: usize = 5;

/// linfa finds components by LOBPCG, which iterates until a residual is below an absolute 1e-10; near that it divides noise by noise
/// and panics on the NaN (found by the property test below this module). Asked for *all* components of a matrix scaled down by this
/// and by the root of its rows, its first step is a complete dense decomposition, exact far below that bound, and it never iterates.
const SCALE: f64 = 0.01;

/// The least standard deviation of a feature, on the scale of ln(1 + count): one event where there had never been one is two of
/// them away, not infinitely many.
const DEVIATION_MIN: f64 = 0.35;

/// The least variance of a component and the least usual residual, on the standardised scale.
const VARIANCE_MIN: f64 = 0.25;
const RESIDUAL_MIN: f64 = 3.0;

/// Pseudo-observations on either side of the mean, so small that they count for nothing but make every matrix of full rank.
const RIDGE: f64 = 0.05;

/// Into how many parts the baseline is cut to measure each by the others.
const PARTS: usize = 4;

/// The part of the baseline that the tail is fitted to.
const TAIL: f64 = 0.25;

/// The least mean excess of the tail of distances: no baseline is so even that a tenth more would be impossible.
const EXCESS_MIN: f64 = 0.25;
/// The same for how far records are beaten, of which a baseline has few examples.
const RECORD_EXCESS_MIN: f64 = 0.8;

/// A record counts as beaten from so many deviations on: one event where there had never been one beats none.
const RECORD_MARGIN: f64 = 2.0;
/// The least that is told from none, in squared deviations.
const EXCESS_SQUARE_MIN: f64 = 0.25;

/// A baseline that no model could be made from.
#[derive(Debug, thiserror::Error)]
#[error("cannot fit a model to {windows} windows")]
pub(super) struct FitError {
    windows: usize,
    /// linfa's error type has no public name.
    #[source]
    source: Box<dyn Error + Send + Sync>,
}

/// How a window compares.
#[derive(Debug)]
pub(super) struct Measure {
    /// The distance.
    pub(super) distance: f64,
    /// The estimated share of usual windows that lie at least as far out.
    pub(super) probability: f64,
    /// What each feature contributes to the distance.
    pub(super) parts: [f64; FEATURES],
}

/// The space of usual windows.
#[derive(Debug)]
struct Space {
    mean: Array1<f64>,
    deviation: Array1<f64>,
    /// The most there was of each feature.
    records: Array1<f64>,
    /// One component a row.
    components: Array2<f64>,
    variances: Vec<f64>,
    residual: f64,
}

/// A fitted and calibrated model.
#[derive(Debug)]
pub(super) struct Model {
    space: Space,
    distances: Tail,
    excesses: Tail,
}

/// How one kind of distance is distributed over usual windows.
#[derive(Debug)]
struct Tail {
    /// Logarithms of the baseline's own, ascending.
    own: Vec<f64>,
    begin: f64,
    excess: f64,
}

impl Model {
    pub(super) fn fit(windows: &[Counts]) -> Result<Self, FitError> {
        let space = Space::fit(windows.iter())?;
        let (mut distances, mut excesses) = (Vec::with_capacity(windows.len()), Vec::with_capacity(windows.len()));
        for part in 0..PARTS {
            let of_part = |(at, _): &(usize, &Counts)| at % PARTS == part;
            let others = windows.iter().enumerate().filter(|window| !of_part(window)).map(|(_, window)| window);
            let model = Space::fit(others)?;
            for (_, window) in windows.iter().enumerate().filter(of_part) {
                distances.push(log(model.distance(window).0));
                excesses.push(log_excess(model.excess(window)));
            }
        }
        Ok(Self { space, distances: Tail::of(distances, EXCESS_MIN), excesses: Tail::of(excesses, RECORD_EXCESS_MIN) })
    }

    pub(super) fn measure(&self, window: &Counts) -> Measure {
        let (distance, parts) = self.space.distance(window);
        let as_a_whole = self.distances.probability(log(distance));
        let by_records = self.excesses.probability(log_excess(self.space.excess(window)));
        Measure { distance, probability: (2.0 * as_a_whole.min(by_records)).min(1.0), parts }
    }
}

impl Tail {
    fn of(mut own: Vec<f64>, excess_min: f64) -> Self {
        own.sort_unstable_by(f64::total_cmp);
        let first = own.len() - quarter(own.len());
        let begin = own[first - 1];
        let excess = own[first..].iter().map(|distance| distance - begin).sum::<f64>() / count(own.len() - first);
        Self { begin, excess: excess.max(excess_min), own }
    }

    /// The estimated share of usual windows that lie at least as far out.
    fn probability(&self, log: f64) -> f64 {
        if log > self.begin {
            return TAIL * (-(log - self.begin) / self.excess).exp();
        }
        let below = self.own.partition_point(|own| *own < log);
        count(self.own.len() - below) / count(self.own.len())
    }
}

impl Space {
    fn fit<'a>(windows: impl Iterator<Item = &'a Counts>) -> Result<Self, FitError> {
        let rows: Vec<Array1<f64>> = windows.map(scaled).collect();
        let observed = count(rows.len().max(2));
        let mean = rows.iter().fold(Array1::zeros(FEATURES), |sum, row| sum + row) / observed;
        let square = rows.iter().map(|row| (row - &mean).mapv(|value| value * value));
        let variance = square.fold(Array1::zeros(FEATURES), |sum: Array1<f64>, row| sum + row) / (observed - 1.0);
        let deviation = variance.mapv(|variance| variance.sqrt().max(DEVIATION_MIN));
        let records = rows.iter().fold(Array1::zeros(FEATURES), |most: Array1<f64>, row| {
            most.iter().zip(row).map(|(most, value)| most.max(*value)).collect()
        });
        let mut standard = Array2::zeros((rows.len() + 2 * FEATURES, FEATURES));
        for (mut target, row) in standard.rows_mut().into_iter().zip(&rows) {
            target.assign(&((row - &mean) / &deviation));
        }
        for feature in 0..FEATURES {
            standard[(rows.len() + 2 * feature, feature)] = RIDGE;
            standard[(rows.len() + 2 * feature + 1, feature)] = -RIDGE;
        }
        let scale = SCALE / observed.sqrt();
        standard *= scale;
        let pca = Pca::params(FEATURES)
            .fit(&DatasetBase::from(standard))
            .map_err(|source| FitError { windows: rows.len(), source: source.into() })?;
        // Not `explained_variance`: linfa divides by the number of components where the number of observations belongs.
        let variance = |value: &f64| ((value / scale).powi(2) / (observed - 1.0)).max(VARIANCE_MIN);
        let variances: Vec<f64> = pca.singular_values().iter().take(COMPONENTS).map(variance).collect();
        let components = pca.components().slice(s![..variances.len(), ..]).to_owned();
        let mut space = Self { variances, components, mean, deviation, records, residual: 1.0 };
        let residuals: f64 = rows.iter().map(|row| space.split(row).1.mapv(|value| value * value).sum()).sum();
        space.residual = (residuals / observed).max(RESIDUAL_MIN);
        Ok(space)
    }

    /// A window's place in the space, what of it lies outside, and the whole.
    fn split(&self, row: &Array1<f64>) -> (Array1<f64>, Array1<f64>, Array1<f64>) {
        let standard = (row - &self.mean) / &self.deviation;
        let inside = self.components.dot(&standard);
        let outside = &standard - &self.components.t().dot(&inside);
        (inside, outside, standard)
    }

    /// How far a window beats the records, in squared deviations beyond the margin.
    fn excess(&self, window: &Counts) -> f64 {
        let beyond = (scaled(window) - &self.records) / &self.deviation;
        beyond.iter().map(|by| (by - RECORD_MARGIN).max(0.0).powi(2)).sum()
    }

    /// The distance, and each feature's part in it.
    fn distance(&self, window: &Counts) -> (f64, [f64; FEATURES]) {
        let (inside, outside, standard) = self.split(&scaled(window));
        let dimensions = count(self.variances.len().max(1));
        let mut parts = [0.0; FEATURES];
        for (feature, part) in parts.iter_mut().enumerate() {
            let within = inside.iter().zip(&self.variances).zip(self.components.column(feature));
            let squared: f64 = within.map(|((place, variance), weight)| place * weight / variance).sum();
            *part = squared * standard[feature] / dimensions + outside[feature] * outside[feature] / self.residual;
        }
        (parts.iter().sum(), parts)
    }
}

fn scaled(window: &Counts) -> Array1<f64> {
    window.iter().map(|count| f64::from(*count).ln_1p()).collect()
}

/// The logarithm of a distance, which rounding may leave a little below zero.
fn log(distance: f64) -> f64 {
    distance.max(1e-6).ln()
}

/// The same of an excess. Most windows beat no record: those are all alike.
fn log_excess(excess: f64) -> f64 {
    excess.max(EXCESS_SQUARE_MIN).ln()
}

/// The size of the tail of `all`, never empty nor whole.
fn quarter(all: usize) -> usize {
    (all / 4).clamp(1, all.saturating_sub(1).max(1))
}

#[expect(clippy::cast_precision_loss, reason = "a baseline has far fewer than 2^52 windows")]
fn count(number: usize) -> f64 {
    number as f64
}
