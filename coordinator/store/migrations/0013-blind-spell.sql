-- Of many monitors that cannot be judged at once the operator is told as one (core/blind-spell.ts): the spell, and null where there is none.
alter table fleet add column blind_spell jsonb;

alter table pages drop constraint pages_kind_check;
alter table pages add constraint pages_kind_check
  check (kind in ('down', 'resolved', 'past', 'unconfirmed', 'unconfirmed_resolved', 'fleet', 'blind', 'blind_resolved'));

-- How many there are is counted with each that comes or goes.
create index incidents_unjudged on incidents (opened_at) where kind = 'unconfirmed' and resolved_at is null and not held;
