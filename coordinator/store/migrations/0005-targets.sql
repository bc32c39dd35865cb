-- A monitor whose target has changed is a new one: what was seen of the old target says nothing of the new.

alter table monitors
  -- The generation since which mail goes where it goes now.
  add column target_generation int not null default 1;

-- The generation in which a job was given: of which target its result speaks. Null: from before this column.
alter table jobs add column generation int;

-- When a watched monitor was pending again, because its target had changed; without an end while no mail has come back.
create table pending_spans (
  customer_id uuid not null,
  monitor_id uuid not null,
  start_at timestamptz not null,
  end_at timestamptz,
  primary key (customer_id, monitor_id, start_at),
  foreign key (customer_id, monitor_id) references monitors
);
grant select, insert, update, delete on pending_spans to mailscout_app;
alter table pending_spans enable row level security;
alter table pending_spans force row level security;
create policy customer on pending_spans using (customer_matches(customer_id)) with check (customer_matches(customer_id));
