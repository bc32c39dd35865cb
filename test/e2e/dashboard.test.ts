/** The built dashboard in a real browser, under the coordinator's own security headers, on fixed data. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Browser, Page } from 'playwright-core'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { buildWeb } from '../../bin/build-web.ts'
import { chromiumPath, launchChromium, noChromium } from '../support/chromium.ts'
import type { DashboardScene } from '../support/dashboard-data.ts'
import { type DashboardFixture, startDashboardFixture } from '../support/dashboard-fixture.ts'

if (chromiumPath === undefined) console.warn(`skipped test/e2e/dashboard.test.ts: ${noChromium}`)

describe.skipIf(chromiumPath === undefined)('the dashboard', () => {
  let webRoot = ''
  let browser: Browser | undefined
  let fixture: DashboardFixture | undefined
  /** What went wrong in the page, and what it asked of others. */
  let faults: string[] = []

  beforeAll(async () => {
    webRoot = await mkdtemp(join(tmpdir(), 'mailscout-web-'))
    await buildWeb(webRoot)
    browser = await launchChromium(chromiumPath ?? '')
  })
  afterEach(async () => {
    await Promise.all((browser?.contexts() ?? []).map((context) => context.close()))
    await fixture?.close()
  })
  afterAll(async () => {
    await browser?.close()
    await rm(webRoot, { recursive: true, force: true })
  })

  /** Opens the page; without a key at the sign-in, with it on the overview once that is live. */
  async function open(scene: DashboardScene, options: { signedIn?: boolean; width?: number; hash?: string } = {}) {
    const started = await startDashboardFixture(scene, webRoot)
    fixture = started
    faults = []
    const context = await browser?.newContext({ viewport: { width: options.width ?? 1280, height: 900 } })
    const page = await context?.newPage()
    if (page === undefined) throw new Error('the browser has not started')
    page.on('pageerror', (error) => faults.push(`error: ${error.message}`))
    page.on('console', (message) => {
      if (message.type() === 'error' && !message.text().startsWith('Failed to load resource')) faults.push(message.text())
    })
    page.on('request', (request) => {
      if (!request.url().startsWith(`${started.url}/`)) faults.push(`asked elsewhere: ${request.url()}`)
    })
    await page.goto(options.signedIn === false ? `${started.url}/` : `${started.url}/#key=${started.key}`)
    if (options.signedIn === false) return { page, fixture: started }
    await page.getByText('Live', { exact: true }).waitFor()
    if (options.hash !== undefined) await page.goto(`${started.url}/${options.hash}`)
    return { page, fixture: started }
  }

  const headline = (page: Page, words: string) => page.getByRole('heading', { level: 1, name: words }).waitFor()

  it('asks for a key, says what is wrong with a false one, and lets the right one in', async () => {
    const { page, fixture } = await open('well', { signedIn: false })
    await page.getByLabel('API key').fill('wrong')
    await page.getByRole('button', { name: 'Sign in' }).click()
    await page.getByText('This API key is not known here').waitFor()
    await page.getByLabel('API key').fill(fixture.key)
    await page.keyboard.press('Enter')
    await headline(page, 'All 3 monitors are up')
    await page.getByRole('button', { name: 'Sign out' }).click()
    await page.getByLabel('API key').waitFor()
    expect(faults).toEqual([])
  })

  it('takes a key from the address and removes it there', async () => {
    const { page, fixture } = await open('well')
    await headline(page, 'All 3 monitors are up')
    expect(page.url()).toBe(`${fixture.url}/#/`)
    await page.reload()
    await headline(page, 'All 3 monitors are up')
    expect(faults).toEqual([])
  })

  it('shows an outage with its incident and the SMS, and acknowledges it', async () => {
    const { page, fixture } = await open('incident')
    await headline(page, '1 monitor is down since 03:02 UTC (24 min)')
    const incident = page.getByRole('article')
    await incident.getByText('Mail accepted, not back in 10 min.').waitFor()
    await page.getByText('DOWN Head office mail since 03:02 UTC').first().waitFor()
    expect(await page.title()).toBe('✕ 1 down · Mailscout')
    await incident.getByRole('button', { name: 'Acknowledge' }).click()
    await incident.getByText('Acknowledged 03:26 UTC by operator').waitFor()
    expect(await incident.getByRole('button', { name: 'Acknowledge' }).count()).toBe(0)
    expect(fixture.requests.some((request) => /^POST .*\/acknowledge$/.test(request))).toBe(true)
    expect(faults).toEqual([])
  })

  it('resolves by hand only after a second word', async () => {
    const { page, fixture } = await open('incident')
    await page.getByRole('button', { name: 'Resolve' }).click()
    await page.getByRole('button', { name: 'Leave it open' }).click()
    expect(fixture.requests.some((request) => request.endsWith('/resolve'))).toBe(false)
    await page.getByRole('button', { name: 'Resolve' }).click()
    await page.getByRole('button', { name: 'Resolve now' }).click()
    await headline(page, '1 monitor is slow')
    expect(await page.getByRole('article').count()).toBe(0)
    expect(faults).toEqual([])
  })

  it('changes as the stream tells, and tells a screen reader', async () => {
    const { page, fixture } = await open('well')
    const [monitor] = fixture.data.monitors
    fixture.emit('monitor', { ...monitor, decision: 'suspected' })
    await headline(page, '1 monitor is suspected')
    const incident = { ...fixture.data.incidents[0], id: 'new', code: 'W2W2', resolved_at: null }
    fixture.emit('incident', incident)
    await page.getByRole('log').getByText('Incident W2W2').waitFor({ state: 'attached' })
    expect(faults).toEqual([])
  })

  it('says that it is not live when the stream is gone, and loads anew when it is back', async () => {
    const { page, fixture } = await open('well')
    fixture.dropStreams(true)
    await page.getByText('Not live.').waitFor()
    await headline(page, 'Last known: all 3 monitors are up')
    for (const monitor of fixture.data.monitors) monitor.decision = 'partial'
    fixture.dropStreams(false)
    await headline(page, 'All 3 monitors are reached from some regions only')
    await page.getByText('Live', { exact: true }).waitFor()
    expect(await page.getByText('Not live.').count()).toBe(0)
    expect(faults).toEqual([])
  })

  it('draws the round trips of a monitor and walks through them by keyboard', async () => {
    const { page, fixture } = await open('incident', { hash: '#/monitors/01936a00-0002-7000-8000-000000000001' })
    await page.getByText('210 tests from 3 vantages in the last 6 hours, 8 failed.').waitFor()
    await page.getByRole('application').focus()
    await page.keyboard.press('End')
    await page.getByRole('status').getByText('03:15:00 UTC').waitFor()
    await page.getByRole('status').getByText('not back').waitFor()
    await page.getByText('Linear').click()
    await page.getByText('1 h', { exact: true }).click()
    await page.getByText('30 tests from 3 vantages in the last hour, 8 failed.').waitFor()
    await page.getByRole('button', { name: 'Test now' }).click()
    await page.getByText('All vantages are testing').waitFor()
    await page.getByText('How to install it').click()
    await page.getByText('/home/scout/.forward').first().waitFor()
    expect(fixture.requests).toContain('GET /v1/monitors/01936a00-0002-7000-8000-000000000001/responder?system=postfix')
    expect(faults).toEqual([])
  })

  it('says that a server’s clock is wrong, and shows the legs only when asked', async () => {
    const { page, fixture } = await open('well', { hash: '#/monitors/01936a00-0002-7000-8000-000000000002' })
    await page.getByText("Your server's clock is 94 s ahead.").waitFor()
    await page.getByText('94 s ahead, ± 612 ms').waitFor()
    expect(await page.getByText('back', { exact: true }).count()).toBe(0)
    await page.getByText('Way out and way back of recent mails').click()
    await page.getByText('back', { exact: true }).first().waitFor()
    await page.getByText('cannot be told apart').first().waitFor()
    expect(fixture.requests).toContain('GET /v1/monitors/01936a00-0002-7000-8000-000000000002/legs?limit=12')
    expect(faults).toEqual([])
  })

  it('shows on its way where the mail died', async () => {
    const { page } = await open('incident')
    const way = page.getByRole('article').getByRole('list', { name: 'The way of the mail' })
    expect(await way.getByRole('listitem').allTextContents()).toEqual([
      'name: passed',
      'connection: passed',
      'server: passed',
      'mailbox: perhaps here',
      'responder: perhaps here',
      'way back: not reached',
    ])
    await page.getByRole('article').getByText('accepted, then lost.').waitFor()
    expect(faults).toEqual([])
  })

  it('is calm about an outage in maintenance, and says until when nobody is paged', async () => {
    const { page, fixture } = await open('maintenance')
    await headline(page, '1 monitor is slow')
    await page.getByText('1 up, 1 in maintenance').waitFor()
    expect(await page.title()).toBe('Mailscout')
    await page.getByRole('article').getByText('Maintenance until 04:00 UTC').waitFor()
    await page.getByRole('link', { name: 'Head office mail' }).last().click()
    await page.getByText('99.87–99.92 % available in the last 30 days, 2 outages').waitFor()
    await page.getByText('now, until 04:00 UTC').waitFor()
    await page.getByText('Every Saturday and Sunday at 22:00 for 2 h, Australia/Sydney').waitFor()
    const [monitor] = fixture.data.monitors
    fixture.emit('monitor', { ...monitor, maintenance: null })
    await page.getByText('Maintenance until').first().waitFor({ state: 'detached' })
    expect(await page.title()).toBe('✕ 1 down · Mailscout')
    expect(faults).toEqual([])
  })

  it('tells the story of an incident', async () => {
    const { page } = await open('incident', { hash: '#/incidents/01936a00-0003-7000-8000-000000000001' })
    await page.getByText('Incident opened').waitFor()
    await page.getByText('SMS accepted by kannel').waitFor()
    expect(faults).toEqual([])
  })

  it('tells a new operator what to do', async () => {
    const { page } = await open('empty')
    await headline(page, 'Nothing is watched yet')
    await page.getByText('POST /v1/probes').waitFor()
    expect(faults).toEqual([])
  })

  it.each([360, 768, 1920])('fits %i px, also with long names and eight vantages', async (width) => {
    const { page } = await open('crowd', { width })
    await headline(page, '1 monitor cannot be judged')
    const wide = await page.evaluate<number>('document.documentElement.scrollWidth')
    expect(wide).toBeLessThanOrEqual(width)
    expect(faults).toEqual([])
  })
})
