-- Tests of each route to a target: a mail server by an address family. They are kept apart from results, because they never vote.

alter table jobs drop constraint jobs_cause_check;
alter table jobs add constraint jobs_cause_check check (cause in ('confirm', 'open', 'test_now', 'routes'));

-- When the next survey of a monitor is due, and who made the last.
create table route_surveys (
  customer_id uuid not null,
  monitor_id uuid not null,
  due_at timestamptz not null,
  probe_id uuid references probes,
  primary key (customer_id, monitor_id),
  foreign key (customer_id, monitor_id) references monitors
);
create index route_surveys_due on route_surveys (due_at);
insert into route_surveys (customer_id, monitor_id, due_at)
  select customer_id, id, now() + random() * interval '1 hour' from monitors where deleted_at is null;

-- `started_at`: by our clock, as far as that of the probe is known.
create table route_tests (
  customer_id uuid not null,
  id uuid not null,
  monitor_id uuid not null,
  probe_id uuid not null,
  region text not null,
  job_id uuid not null,
  mx text not null,
  family text not null check (family in ('ipv4', 'ipv6')),
  started_at timestamptz not null,
  outcome text not null,
  rtt_ms double precision,
  detail jsonb not null,
  primary key (customer_id, id)
);
create index route_tests_by_route on route_tests (customer_id, monitor_id, mx, family, started_at desc);
create index route_tests_by_age on route_tests (started_at);

-- What its tests say of a route (core/routes.ts); `test_id`: the newest that says something.
create table routes (
  customer_id uuid not null,
  monitor_id uuid not null,
  mx text not null,
  family text not null,
  tested_at timestamptz not null,
  spoke_at timestamptz,
  passed_at timestamptz,
  failing_since timestamptz,
  test_id uuid,
  primary key (customer_id, monitor_id, mx, family)
);

grant select, insert, update, delete on route_surveys, routes to mailscout_app;
grant select, insert, delete on route_tests to mailscout_app;
do $$
declare
  customers_table text;
begin
  foreach customers_table in array array['route_surveys', 'route_tests', 'routes'] loop
    execute format('alter table %I enable row level security', customers_table);
    execute format('alter table %I force row level security', customers_table);
    execute format('create policy customer on %I using (customer_matches(customer_id)) with check (customer_matches(customer_id))', customers_table);
  end loop;
end
$$;
