-- When an outage was decided: as its incident was opened, or as what nobody could confirm was confirmed. The fleet guard counts from then.
alter table incidents add column down_at timestamptz;
update incidents i set down_at = coalesce(
    (select max(e.at) from incident_events e where e.customer_id = i.customer_id and e.incident_id = i.id and e.type = 'confirmed'), opened_at)
  where kind = 'down';
create index incidents_by_down on incidents (down_at) where down_at is not null;
