// Reading that ends when its caller's signal fires, whether or not what is read from takes notice of it.
import type { ModelFiles } from './files.js';

/**
 * What `act` resolves to, unless the signal fires first: then the rejection is the signal's reason, at once, and whatever `act` still
 * comes to is passed over.
 */
export function unlessAborted<T>(signal: AbortSignal | undefined, act: () => Promise<T>): Promise<T> {
  if (signal === undefined) return act();
  return new Promise((resolve, reject) => {
    signal.throwIfAborted();
    const stop = (): void => reject(signal.reason as Error);
    // In place before `act` begins, so that the reason comes before the failure that the signal causes in there.
    signal.addEventListener('abort', stop, { once: true });
    act()
      .then(resolve, reject)
      .finally(() => signal.removeEventListener('abort', stop));
  });
}

/** A signal that fires when one of those given does; undefined where none is. */
export function anySignal(...given: readonly (AbortSignal | null | undefined)[]): AbortSignal | undefined {
  const [first, ...others] = new Set(given.filter((signal) => signal !== undefined && signal !== null));
  return first === undefined || others.length === 0 ? first : AbortSignal.any([first, ...others]);
}

/** The same files, whose every call ends with the signal's reason as soon as it fires. */
export function abortableFiles(files: ModelFiles, signal: AbortSignal | undefined): ModelFiles {
  if (signal === undefined) return files;
  const until = <T>(own: AbortSignal | undefined, act: (signal: AbortSignal | undefined) => Promise<T>): Promise<T> => {
    const either = anySignal(signal, own);
    return unlessAborted(either, () => act(either));
  };
  const readSmall = files.readSmall?.bind(files);
  return {
    label: files.label,
    read: (name, start, end, own) => until(own, (either) => files.read(name, start, end, either)),
    size: (name, own) => until(own, (either) => files.size(name, either)),
    list: (own) => until(own, (either) => files.list(either)),
    ...(readSmall ? { readSmall: (name, most, own) => until(own, (either) => readSmall(name, most, either)) } : {}),
  };
}
