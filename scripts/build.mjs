// Bundles the sources into dist/. One file, in which each module runs when it is first imported:
// loading many small files costs more than a whole command may take.
import { rmSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { build } from 'esbuild'
import { libraryDeclarations } from './library-declarations.ts'

const root = fileURLToPath(new URL('..', import.meta.url))
const { version } = (await import('../package.json', { with: { type: 'json' } })).default
rmSync(new URL('../dist', import.meta.url), { recursive: true, force: true })
const common = {
  absWorkingDir: root,
  outdir: 'dist',
  outExtension: { '.js': '.cjs' },
  bundle: true,
  format: 'cjs',
  platform: 'node',
  target: 'node22',
  minify: true,
  define: { 'process.env.HOLDFAST_VERSION': JSON.stringify(version) },
  logLevel: 'warning',
}
await build({ ...common, entryPoints: { load: 'src/load.ts' } })
/** The protocol's SDK stays out of what every command loads. */
const ownBundle = {
  name: 'mcp-sdk',
  setup: ({ onResolve }) => {
    onResolve({ filter: /^\.\/sdk\.ts$/ }, () => ({ path: './mcp-sdk.cjs', external: true }))
  },
}
await build({ ...common, entryPoints: { 'mcp-sdk': 'src/surfaces/mcp/sdk.ts' } })
await build({
  ...common,
  plugins: [ownBundle],
  entryPoints: { main: 'src/surfaces/cli/main.ts' },
  // `src/load.ts` gives it what Node gives to a module.
  banner: { js: '(function (exports, require, module) {' },
  footer: { js: '})' },
  // A script that is loaded from V8's cache has no `import()`; a bundle needs none.
  supported: { 'dynamic-import': false },
})
await build({
  ...common,
  entryPoints: { library: 'src/surfaces/library/main.ts' },
  outExtension: { '.js': '.js' },
  format: 'esm',
})
writeFileSync(new URL('../dist/library.d.ts', import.meta.url), libraryDeclarations())
