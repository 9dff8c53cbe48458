/** Whether an error of a look at a file, or into `/proc`, means that it is not there any more. */
export function isGone(error: unknown): boolean {
  const code = (error as NodeJS.ErrnoException).code
  return code === 'ENOENT' || code === 'ESRCH'
}
