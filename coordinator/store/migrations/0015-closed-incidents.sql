-- What ended otherwise than by the votes (by hand, with its monitor or its target) is no bout of mail that comes and goes (core/flapping.ts).
alter table incidents add column closed boolean not null default false;
update incidents i set closed = true where exists (
  select from incident_events e where e.customer_id = i.customer_id and e.incident_id = i.id
    and e.type in ('resolved_by_hand', 'monitor_deleted', 'target_changed'));
