-- What a probe did at the same time is known by the clock of its boot, which nobody can set. Rows from before know nothing of it.
alter table results
  add column boot_id text,
  add column started_uptime_ms double precision,
  add column finished_uptime_ms double precision;

alter table control_trips
  add column boot_id text,
  add column started_uptime_ms double precision;
create index control_trips_by_uptime on control_trips (probe_id, boot_id, started_uptime_ms);

alter table probe_proofs
  add column boot_id text,
  add column started_uptime_ms double precision;
