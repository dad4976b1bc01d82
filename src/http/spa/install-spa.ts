import type { FastifyInstance } from 'fastify'
import { installErrorHandling } from '../answers/error-handler.ts'
import type { HttpContext } from '../server/http-context.ts'
import { createSpa, type SpaFilesOptions } from './spa-files.ts'

/** Where the app's files are, if they are here. */
export type InstalledSpa = Omit<SpaFilesOptions, 'spaDir' | 'reservedPaths'> & {
  readonly spaDir: string | undefined
}

/**
 * Installs what is answered where nothing else is: failures, and the app's files. Error handling comes first: a scope inherits the handlers
 * that its parent has when it is loaded.
 */
export async function installSpa(
  app: FastifyInstance,
  { spaDir, ...given }: InstalledSpa,
  context: HttpContext,
): Promise<void> {
  if (spaDir === undefined) {
    installErrorHandling(app, context)
    return
  }
  const { reservedPaths } = context.returnToRules
  const spa = createSpa({ ...given, spaDir, reservedPaths })
  installErrorHandling(app, context, spa.showApp)
  await spa.register(app)
}
