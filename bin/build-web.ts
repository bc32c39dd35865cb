/** Builds the dashboard into dist/web. `npm start` and `npm run build` call it; the coordinator serves what it leaves. */
import { fileURLToPath } from 'node:url'
import { build } from 'vite'

const root = fileURLToPath(new URL('../coordinator/web', import.meta.url))
export const webDirectory = fileURLToPath(new URL('../dist/web', import.meta.url))

/**
 * Writes index.html and hashed assets. The page asks for nothing from elsewhere and has no inline script or style, so that it
 * runs under `default-src 'self'`: nothing is inlined as a `data:` address either. Throws what vite throws.
 */
export async function buildWeb(outDir: string = webDirectory): Promise<void> {
  await build({
    root,
    base: './',
    configFile: false,
    logLevel: 'warn',
    build: {
      outDir,
      emptyOutDir: true,
      assetsInlineLimit: 0,
      modulePreload: { polyfill: false },
      // light-dark() and container queries: browsers since May 2024.
      target: ['chrome123', 'firefox120', 'safari17.5'],
      reportCompressedSize: false,
    },
  })
}

if (import.meta.main) await buildWeb()
