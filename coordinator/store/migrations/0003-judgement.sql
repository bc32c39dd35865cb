-- What the judgement remembers besides: flapping, news of outages that are over, probes that fail widely, and the fleet guard.

alter table incidents
  -- One of a series: it stays open until mail has returned steadily.
  add column flapping boolean not null default false;

alter table monitor_states
  -- The start of the oldest failing test that was told of late and has not been judged to the end; null: there is none.
  add column late_since timestamptz;
update monitor_states set state = state || '{"notices_ms": [], "late": null}';
update monitor_states set state = jsonb_set(state, '{incident}', state->'incident' || '{"flapping": false, "well_since_ms": null}')
  where jsonb_typeof(state->'incident') = 'object';

alter table pages drop constraint pages_kind_check;
alter table pages add constraint pages_kind_check
  check (kind in ('down', 'resolved', 'past', 'unconfirmed', 'unconfirmed_resolved', 'fleet'));

-- The newest failing test of each monitor that a probe failed for of late.
create table probe_failures (
  probe_id uuid not null references probes,
  customer_id uuid not null,
  monitor_id uuid not null,
  domain text not null,
  started_at timestamptz not null,
  primary key (probe_id, monitor_id)
);
create index probe_failures_by_time on probe_failures (probe_id, started_at desc);

alter table probes
  -- Mail domains that fail for this probe while mail from another region, sent later, returns from them; and how many monitors it holds,
  -- counted where there are some such domains.
  add column contradicted int not null default 0,
  add column monitors_held int not null default 0;

-- One row: whether many unrelated mail systems fail at once, since when, and when that was seen last.
create table fleet (
  id boolean primary key default true check (id),
  since_at timestamptz,
  seen_at timestamptz,
  -- Mail domains under watch.
  watched int not null default 0,
  counted_at timestamptz
);
insert into fleet default values;

grant select, insert, update, delete on probe_failures, fleet to mailscout_app;
alter table probe_failures enable row level security;
alter table probe_failures force row level security;
create policy customer on probe_failures using (customer_matches(customer_id)) with check (customer_matches(customer_id));
