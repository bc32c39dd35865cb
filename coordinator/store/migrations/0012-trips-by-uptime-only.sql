-- Trips are found by the clock of their boot; nothing reads them by the wall clock of their probe any more.
drop index control_trips_by_time;
