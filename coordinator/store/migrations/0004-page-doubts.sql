-- How often a page may have reached its phone without our knowing. Counted apart from the attempts: those in which no gateway was there
-- cost it nothing.
alter table pages add column doubts int not null default 0;
update pages set doubts = 1 where outcome_unknown;
alter table pages drop column outcome_unknown;
