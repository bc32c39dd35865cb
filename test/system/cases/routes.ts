/** A backup mail server that takes no mail: invisible to every mail that has a choice, and shown all the same. */
import assert from 'node:assert/strict'
import { before, describe, test } from 'node:test'
import type { Monitor } from '../lab/api.ts'
import { useLab, useMailscout } from '../lab/current.ts'
import type { Mailscout } from '../lab/mailscout.ts'
import type { Watched } from '../lab/watched.ts'

const lab = useLab()
/** A test that is refused ends at once, one that passes within seconds. */
const surveyedWithinMs = 60_000

describe('the routes to a domain with a backup mail server', () => {
  let mailscout: Mailscout
  before(async () => {
    mailscout = await useMailscout()
  })

  test('one that refuses mail is a notice with its words; mail arrives by the other, and nobody is woken', async (t) => {
    const { routed } = mailscout.parts.customers
    const watched = await mailscout.watch('scout', { on: routed })
    t.after(() => mailscout.unwatch(watched))
    await watched.awaitUp()
    const before = await watched.results()

    const [works, refuses] = (await survey(watched, 'a test of each route', ({ routes }) => routes.length === 2)).routes
    assert.deepEqual([works?.mx, works?.family, works?.standing], ['mail.routed.test', 'ipv4', 'ok'])
    assert.deepEqual([refuses?.mx, refuses?.standing], ['mx.ap.probe.test', 'unknown'])

    const { notices, decision } = await survey(watched, 'a notice', (monitor) => monitor.notices.length > 0)
    assert.deepEqual([notices[0]?.kind, decision], ['route_failing', 'up'])
    assert.match(
      notices[0]?.text ?? '',
      /^mx\.ap\.probe\.test over IPv4 has not taken mail since .+: 554 5\.7\.1 .*Relay access denied; mail still arrives by other routes$/,
    )

    await watched.awaitResult('a test that votes', before, surveyedWithinMs, ({ outcome }) => outcome === 'ok')
    assert.deepEqual(new Set((await watched.results()).map(({ detail }) => detail.mx)), new Set(['mail.routed.test']))
    assert.deepEqual([await watched.incidents(), watched.sms()], [[], []])
  })
})

/** The next survey, which would be due within the hour, and what the monitor shows once this can be seen of it. */
async function survey(watched: Watched, what: string, fits: (monitor: Monitor) => boolean): Promise<Monitor> {
  await lab.database.query(`update route_surveys set due_at = now() where monitor_id = '${watched.id}'`, 'mailscout')
  return await watched.until(what, surveyedWithinMs, async () => {
    const monitor = await watched.monitor()
    return fits(monitor) && monitor
  })
}
