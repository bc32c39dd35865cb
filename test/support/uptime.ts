/** The times that a test or control trip has by the clock of its probe's boot, where the story's wall clock is never set. */
const bootedMs = 1_700_000_000_000

export const uptimeOf = (
  startedMs: number,
  finishedMs: number,
): { boot_id: string; started_uptime_ms: number; finished_uptime_ms: number } => ({
  boot_id: 'boot',
  started_uptime_ms: startedMs - bootedMs,
  finished_uptime_ms: finishedMs - bootedMs,
})

export const startUptimeOf = (startedMs: number): { boot_id: string; started_uptime_ms: number } => {
  const { boot_id, started_uptime_ms } = uptimeOf(startedMs, startedMs)
  return { boot_id, started_uptime_ms }
}
