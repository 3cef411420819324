"""Prometheus metrics of the historian."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram


class HistorianMetrics:
    """Labels are bounded by the devices of a site and by fixed reasons."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.stored = Counter("monazite_samples_stored", "Samples that a commit inserted.", registry=registry)
        self.unchanged = Counter("monazite_samples_duplicate", "Samples that were stored already.", registry=registry)
        self.revised = Counter("monazite_samples_revised", "Samples that replaced another value at the same time.", registry=registry)
        self.unknown_tags = Counter("monazite_samples_of_unknown_tags", "Samples stored under ids that the site does not have.", registry=registry)
        self.stream_fill = Gauge("monazite_stream_fill_ratio", "Bytes in a stream over what it may hold.", ("stream",), registry=registry)
        self.quarantined = Counter("monazite_batches_quarantined", "Messages that can never be stored.", ("reason",), registry=registry)
        self.commit_failures = Counter("monazite_commit_failures", "Commits that the store did not take.", ("reason",), registry=registry)
        self.commit_duration = Histogram(
            "monazite_commit_duration_seconds", "One transaction.", registry=registry, buckets=(0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.5, 2.5, 10.0)
        )
        self.commit_samples = Histogram(
            "monazite_commit_batch_samples", "Samples in one transaction.", registry=registry, buckets=(10, 100, 1_000, 10_000, 100_000, 1_000_000)
        )
        self.ingest_lag = Histogram(
            "monazite_ingest_lag_seconds",
            "From arrival at the gateway to commit.",
            registry=registry,
            buckets=(0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0, 30.0, 300.0, 3600.0),
        )
        self.backlog = Gauge("monazite_ingest_queue_depth", "Batches in the stream that are not committed yet.", registry=registry)
        self.gaps = Counter("monazite_gaps", "Rows added to the loss ledger.", ("cause",), registry=registry)
        self.rolled_up = Counter("monazite_roll_up_hours", "Hours of tags that were rolled up.", registry=registry)
        self.roll_up_lag = Gauge("monazite_rollup_lag_seconds", "Age of the oldest hour that is over and not rolled up.", registry=registry)
        self.roll_up_duration = Histogram(
            "monazite_roll_up_duration_seconds", "Some hundred hours of tags rolled up.", registry=registry, buckets=(0.01, 0.05, 0.1, 0.5, 1.0, 5.0, 30.0)
        )
        self.thinned = Counter("monazite_samples_thinned", "Stored samples that the swinging door left out.", registry=registry)
        self.retention_success = Gauge(
            "monazite_retention_last_success_timestamp_seconds", "When what is older than the site keeps was last looked for and removed.", registry=registry
        )
        self.edits = Counter("monazite_history_edits", "Edits and deletions of history, by what came of them.", ("result",), registry=registry)
        self.storage_up = Gauge("monazite_storage_up", "1 while the store takes commits.", registry=registry)
        self.recalculations_pending = Gauge(
            "monazite_recalculation_ranges", "Ranges of changed inputs whose calculated tags are not computed again yet.", registry=registry
        )
        self.recalculated = Counter("monazite_recalculated_samples", "Results of calculated tags that follow changed inputs.", ("change",), registry=registry)
