"""Telemetry: logs, metrics, traces, crash reports; none of them holds what people or models say."""
