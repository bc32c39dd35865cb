-- The foundation. Every row of a customer carries customer_id, first in its key, and row-level security keeps customers apart even
-- where a query forgets to: a connection sees the rows of the customer in app.customer, all of them for '*', and none where it is unset.
-- Tables without customer_id belong to the operator.

create function customer_matches(customer_id uuid) returns boolean language sql stable parallel safe as $$
  select current_setting('app.customer', true) = '*'
    or customer_id = nullif(nullif(current_setting('app.customer', true), '*'), '')::uuid
$$;

-- Operator ---------------------------------------------------------------------------------------------------------------------

create table coordinators (
  id uuid primary key,
  started_at timestamptz not null,
  seen_at timestamptz not null
);

create table service_levels (
  id uuid primary key,
  name text not null unique,
  vantages int not null check (vantages between 1 and 50),
  quorum int not null check (quorum between 1 and vantages),
  period_min_s int not null check (period_min_s between 1 and 86400),
  mode text not null check (mode in ('seed', 'fast', 'hedged')),
  channels text[] not null,
  sms_per_day int not null check (sms_per_day >= 0),
  created_at timestamptz not null default now()
);

create table probes (
  id uuid primary key,
  name text not null unique,
  region text not null,
  asn bigint,
  provider text,
  return_address text,
  -- The probe's raw Ed25519 public key, base64url, and its thumbprint: known once it has enrolled.
  public_key text unique,
  key_id text unique,
  enrolment_hash text unique,
  enrolment_expires_at timestamptz,
  enrolled_at timestamptz,
  retired_at timestamptz,
  -- The newest session fences older ones.
  session_id uuid,
  coordinator_id uuid,
  connected_at timestamptz,
  last_seen_at timestamptz,
  version text,
  health jsonb,
  clock_offset_ms double precision,
  manifest_version bigint not null default 0,
  -- What the manifest's content was built from: an unchanged hash means that it only needs renewal.
  manifest_hash text,
  created_at timestamptz not null default now()
);

create table probe_certificates (
  probe_id uuid not null references probes,
  not_before timestamptz not null,
  not_after timestamptz not null,
  certificate text not null,
  primary key (probe_id, not_after)
);

-- The newest verified return of a probe from a mail domain: the proof of its health (DESIGN 3.3).
create table probe_proofs (
  probe_id uuid not null references probes,
  domain text not null,
  started_at timestamptz not null,
  returned_at timestamptz not null,
  control boolean not null,
  primary key (probe_id, domain)
);

create table control_trips (
  probe_id uuid not null references probes,
  id uuid not null,
  reference text not null,
  started_at timestamptz not null,
  returned_at timestamptz,
  outcome text not null,
  rtt_ms double precision,
  primary key (probe_id, id)
);
create index control_trips_by_time on control_trips (probe_id, started_at desc);

-- Customers --------------------------------------------------------------------------------------------------------------------

create table customers (
  id uuid primary key,
  name text not null,
  service_level_id uuid not null references service_levels,
  created_at timestamptz not null default now()
);

-- customer_id null: an operator's key.
create table api_keys (
  id uuid primary key,
  customer_id uuid references customers,
  scope text not null check (scope in ('operator', 'customer', 'read')),
  secret_hash text not null,
  created_at timestamptz not null default now(),
  last_used_at timestamptz,
  revoked_at timestamptz,
  check ((scope = 'operator') = (customer_id is null))
);

create table contacts (
  customer_id uuid not null references customers,
  id uuid not null,
  name text not null,
  created_at timestamptz not null default now(),
  primary key (customer_id, id)
);

create table contact_methods (
  customer_id uuid not null,
  id uuid not null,
  contact_id uuid not null,
  kind text not null check (kind in ('sms')),
  address text not null,
  primary key (customer_id, id),
  foreign key (customer_id, contact_id) references contacts on delete cascade
);
create index contact_methods_by_contact on contact_methods (customer_id, contact_id);

-- steps: [{after_s, contact_ids}]
create table escalation_policies (
  customer_id uuid not null references customers,
  id uuid not null,
  name text not null,
  steps jsonb not null,
  repeat int not null default 0 check (repeat between 0 and 20),
  created_at timestamptz not null default now(),
  primary key (customer_id, id)
);

create table monitors (
  customer_id uuid not null references customers,
  id uuid not null,
  name text not null,
  kind text not null check (kind in ('roundtrip')),
  target jsonb not null,
  period_s int not null,
  timeout_s int not null,
  slow_s int not null,
  retest_wait_s int not null,
  hard_confirm_s int not null,
  open_period_s int not null,
  vantages int not null,
  quorum int not null,
  mode text not null check (mode in ('seed', 'fast', 'hedged')),
  accept_echo boolean not null,
  escalation_policy_id uuid,
  -- The timetable's origin; a change of anything that a probe must know starts a new generation.
  epoch_at timestamptz not null,
  generation int not null default 1,
  created_at timestamptz not null default now(),
  deleted_at timestamptz,
  -- When its assignments must be made anew; null: they are as they should be.
  assign_at timestamptz default now(),
  primary key (customer_id, id),
  foreign key (customer_id, escalation_policy_id) references escalation_policies
);
create index monitors_by_id on monitors (id);
create index monitors_to_assign on monitors (assign_at) where assign_at is not null;

-- What the probes were told, and when it held: a result is accepted from whoever held that generation at that slot.
create table assignments (
  customer_id uuid not null,
  id uuid not null,
  monitor_id uuid not null,
  probe_id uuid not null references probes,
  generation int not null,
  phase_ms int not null,
  first_slot bigint not null,
  last_slot bigint,
  -- The monitor as it was told: {period_s, target, ...}; the epoch in ms.
  epoch_ms bigint not null,
  plan jsonb not null,
  assigned_at timestamptz not null default now(),
  -- No longer in the probe's manifest. The row stays, to judge late results by.
  withdrawn_at timestamptz,
  primary key (customer_id, id),
  foreign key (customer_id, monitor_id) references monitors
);
create index assignments_by_probe on assignments (probe_id, monitor_id, generation);
create index assignments_by_monitor on assignments (customer_id, monitor_id) where withdrawn_at is null;

create table jobs (
  customer_id uuid not null,
  id uuid not null,
  monitor_id uuid not null,
  probe_id uuid not null references probes,
  cause text not null check (cause in ('confirm', 'open', 'test_now')),
  created_at timestamptz not null default now(),
  expires_at timestamptz not null,
  sent_at timestamptz,
  taken_at timestamptz,
  primary key (customer_id, id),
  foreign key (customer_id, monitor_id) references monitors
);
create index jobs_to_send on jobs (probe_id, expires_at) where taken_at is null;
create index jobs_by_id on jobs (id);

-- Signed results, immutable: only late returns are noted beside them.
create table results (
  customer_id uuid not null,
  id uuid not null,
  monitor_id uuid not null,
  probe_id uuid not null,
  region text not null,
  generation int,
  cause text not null,
  job_id uuid,
  attempt int not null,
  first_test_id uuid,
  slot_at timestamptz,
  started_at timestamptz not null,
  sent_at timestamptz,
  returned_at timestamptz,
  finished_at timestamptz not null,
  outcome text not null,
  rtt_ms double precision,
  stages jsonb not null,
  stamp_at timestamptz,
  clock_offset_ms double precision,
  detail jsonb not null,
  ingested_at timestamptz not null default now(),
  primary key (customer_id, id)
);
create index results_by_vantage on results (customer_id, monitor_id, probe_id, started_at desc);

create table late_returns (
  customer_id uuid not null,
  test_id uuid not null,
  monitor_id uuid not null,
  probe_id uuid not null,
  returned_at timestamptz not null,
  rtt_ms double precision not null,
  stamp_at timestamptz,
  primary key (customer_id, test_id)
);

-- Mails that were merely slow when they were told of: what starts the peers early in mode `hedged`.
create table overdues (
  customer_id uuid not null,
  test_id uuid not null,
  monitor_id uuid not null,
  probe_id uuid not null,
  started_at timestamptz not null,
  at timestamptz not null,
  primary key (customer_id, test_id)
);
create index overdues_by_monitor on overdues (customer_id, monitor_id, at desc);

-- Judgement --------------------------------------------------------------------------------------------------------------------

-- One row a monitor, locked while it is judged. `state` is the core's; the other columns are what others ask about.
create table monitor_states (
  customer_id uuid not null,
  monitor_id uuid not null,
  state jsonb not null,
  decision text not null,
  decision_reason text not null,
  decision_since timestamptz not null,
  incident_id uuid,
  -- Nothing is suspected and all is well: a further good result needs no judgement.
  quiet boolean not null default false,
  -- Probes whose failing test waits for their proof of health.
  awaiting_proof uuid[] not null default '{}',
  -- When it must be judged next; the mark and the timer in one. Null: not before something happens.
  judge_at timestamptz,
  judged_at timestamptz,
  primary key (customer_id, monitor_id),
  foreign key (customer_id, monitor_id) references monitors
);
create index monitor_states_due on monitor_states (judge_at) where judge_at is not null;
-- Few rows at any time. No GIN: row-level security keeps conditions that are not leakproof, such as @>, out of an index scan.
create index monitor_states_awaiting on monitor_states (customer_id, monitor_id) where awaiting_proof <> '{}';

create table incidents (
  customer_id uuid not null,
  id uuid not null,
  monitor_id uuid not null,
  code text not null,
  kind text not null check (kind in ('down', 'unconfirmed')),
  -- The start of the first failing test, and of the last good one before it.
  since_at timestamptz not null,
  last_good_at timestamptz,
  opened_at timestamptz not null,
  acknowledged_at timestamptz,
  acknowledged_by text,
  resolved_at timestamptz,
  cause jsonb not null,
  vantages jsonb not null,
  -- Escalation: the next step to take and when; null when there is none left or somebody has acknowledged.
  next_step int,
  next_round int,
  next_step_at timestamptz,
  primary key (customer_id, id),
  foreign key (customer_id, monitor_id) references monitors
);
-- Lists are ordered by id, which is by time.
create index incidents_by_id on incidents (id);
create index incidents_by_monitor on incidents (customer_id, monitor_id, opened_at desc);
create unique index incidents_one_open on incidents (customer_id, monitor_id) where resolved_at is null;
create unique index incidents_open_code on incidents (code) where resolved_at is null;
create index incidents_step_due on incidents (next_step_at) where next_step_at is not null;

create table incident_events (
  customer_id uuid not null,
  incident_id uuid not null,
  id uuid not null,
  at timestamptz not null,
  type text not null,
  detail jsonb not null,
  primary key (customer_id, incident_id, id),
  foreign key (customer_id, incident_id) references incidents
);

-- The outbox. `recipient` is the contact method's id, or 'operator'.
create table pages (
  customer_id uuid not null,
  id uuid not null,
  incident_id uuid not null,
  kind text not null check (kind in ('down', 'resolved', 'unconfirmed', 'unconfirmed_resolved')),
  step int not null,
  round int not null,
  recipient text not null,
  contact_method_id uuid,
  address text not null,
  text text not null,
  state text not null default 'pending' check (state in ('pending', 'sending', 'accepted', 'failed', 'cancelled')),
  due_at timestamptz not null,
  created_at timestamptz not null default now(),
  attempts int not null default 0,
  claimed_by uuid,
  claimed_until timestamptz,
  -- A gateway may or may not have taken it: the next attempt is marked "(repeat)".
  outcome_unknown boolean not null default false,
  accepted_at timestamptz,
  gateway text,
  provider_id text,
  last_error text,
  primary key (customer_id, id),
  unique (customer_id, incident_id, kind, step, round, recipient),
  foreign key (customer_id, incident_id) references incidents
);
create index pages_by_id on pages (id);
create index pages_due on pages (due_at) where state in ('pending', 'sending');

create table idempotency_keys (
  api_key_id uuid not null,
  key text not null,
  request_hash text not null,
  status int,
  response jsonb,
  created_at timestamptz not null default now(),
  primary key (api_key_id, key)
);

create table audit_log (
  id uuid primary key,
  at timestamptz not null default now(),
  customer_id uuid,
  actor text not null,
  action text not null,
  object text not null,
  detail jsonb not null
);
create index audit_log_by_customer on audit_log (customer_id, at desc);

-- Rights -----------------------------------------------------------------------------------------------------------------------

grant select, insert, update, delete on all tables in schema public to mailscout_app;
revoke update, delete on results, late_returns, incident_events, audit_log from mailscout_app;

do $$
declare
  customers_table text;
begin
  foreach customers_table in array array[
    'contacts', 'contact_methods', 'escalation_policies', 'monitors', 'assignments', 'jobs', 'results', 'late_returns', 'overdues',
    'monitor_states', 'incidents', 'incident_events', 'pages'
  ] loop
    execute format('alter table %I enable row level security', customers_table);
    execute format('alter table %I force row level security', customers_table);
    execute format('create policy customer on %I using (customer_matches(customer_id)) with check (customer_matches(customer_id))', customers_table);
  end loop;
end
$$;
alter table customers enable row level security;
alter table customers force row level security;
create policy customer on customers using (customer_matches(id)) with check (customer_matches(id));
