/** A Chromium for tests of the dashboard, where the machine has one. */
import { existsSync } from 'node:fs'
import { type Browser, chromium } from 'playwright-core'

const places = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome']

export const chromiumPath: string | undefined = places.find((place) => existsSync(place))
export const noChromium = `no Chromium at ${places.join(', ')}: install it by "apt-get install chromium"`

/** It keeps to the loopback: everything that Chromium does on its own account is off. */
export function launchChromium(executablePath: string): Promise<Browser> {
  const args = ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking']
  return chromium.launch({ executablePath, args: [...args, '--disable-component-update', '--disable-sync'] })
}
