// Bundles the sources into dist/. One file, in which each module runs when it is first imported:
// loading many small files costs more than a whole command may take.
import { rmSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { build } from 'esbuild'

const root = fileURLToPath(new URL('..', import.meta.url))
const { version } = (await import('../package.json', { with: { type: 'json' } })).default
rmSync(new URL('../dist', import.meta.url), { recursive: true, force: true })
await build({
  absWorkingDir: root,
  entryPoints: { main: 'src/surfaces/cli/main.ts', 'compile-cache': 'src/compile-cache.ts' },
  outdir: 'dist',
  outExtension: { '.js': '.cjs' },
  bundle: true,
  format: 'cjs',
  platform: 'node',
  target: 'node22',
  minify: true,
  // Names of functions and classes stand in stack traces and error names.
  keepNames: false,
  define: { 'process.env.HOLDFAST_VERSION': JSON.stringify(version) },
  logLevel: 'warning',
})
