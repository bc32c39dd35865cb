-- Maintenance windows, and what tells when an outage began and ended.

-- A change or a deletion ends a version (valid_until) and leaves it: what was maintenance then stays so, and nothing else becomes it.
create table maintenance_windows (
  customer_id uuid not null references customers,
  id uuid not null,
  version int not null default 1,
  name text not null,
  -- Null: all monitors of the customer, also those to come.
  monitor_ids uuid[],
  -- {kind: 'once', starts_ms, ends_ms} or {kind: 'weekly', weekly: {days, start_time, duration_s, time_zone}}
  schedule jsonb not null,
  created_at timestamptz not null default now(),
  valid_from timestamptz not null default now(),
  valid_until timestamptz,
  primary key (customer_id, id, version)
);
create unique index maintenance_windows_in_force on maintenance_windows (customer_id, id) where valid_until is null;

alter table incidents
  -- The next step, or the page to the operator, waits for the end of maintenance.
  add column held boolean not null default false,
  -- The outage ended between the start of the last failing test and that of the first passing one; null while it lasts.
  add column last_fail_at timestamptz,
  add column first_pass_at timestamptz;

-- Since when the monitor is watched: its first verified return.
alter table monitor_states add column watched_since timestamptz;
update monitor_states s set watched_since = m.created_at
  from monitors m where m.customer_id = s.customer_id and m.id = s.monitor_id and (s.state->>'watched')::boolean;

grant select, insert, update, delete on maintenance_windows to mailscout_app;
alter table maintenance_windows enable row level security;
alter table maintenance_windows force row level security;
create policy customer on maintenance_windows using (customer_matches(customer_id)) with check (customer_matches(customer_id));
