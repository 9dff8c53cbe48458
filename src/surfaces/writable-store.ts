import { AppError } from '../domain/errors.ts'
import { describeSandbox, outOfSandbox } from '../domain/sandbox.ts'
import type { Store } from '../ports/store.ts'
import { findCheckout } from './common-git-dir.ts'
import type { SurfaceContext } from './context.ts'

/** The store, for a command that writes. Asked first: nothing else is worth a message before. */
export async function requireWritableStore({ holdfast }: SurfaceContext): Promise<Store> {
  const store = await holdfast.store()
  if (store.isReadOnly) throw unwritable(holdfast.home, 'it can only be read from here')
  return store
}

export function unwritable(home: string, why: string): AppError {
  return new AppError('store_unwritable', `the state directory ${home} cannot be written: ${why}`, {
    hint: 'make it writable, or make room in it, and try again',
  })
}

/** What cannot be written because of a sandbox around us is told as that. */
export async function namingSandbox(
  error: AppError,
  { holdfast, directory }: Pick<SurfaceContext, 'holdfast' | 'directory'>,
): Promise<AppError> {
  const isOfGit = error.code === 'capture_failed' && /Read-only file system/.test(error.message)
  if (error.code !== 'store_unwritable' && !isOfGit) return error
  const sandbox = await holdfast.sandbox().catch(() => null) // it would only be said in addition
  if (sandbox === null) return error
  const repository = findCheckout(directory)?.commonDir
  const places = [holdfast.home, ...(repository === undefined ? [] : [repository])]
  const message = `${error.message} (this runs in ${describeSandbox(sandbox)})`
  return new AppError(error.code, message, { hint: outOfSandbox(sandbox, places), cause: error })
}
