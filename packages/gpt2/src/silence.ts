// A promise of a network, which may never settle, made into one that does.

/** The promise, or a rejection when it has not settled after so many milliseconds; `giveUp` then ends what it waits for. */
export async function withoutSilence<T>(milliseconds: number, promise: Promise<T>, giveUp?: () => void): Promise<T> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const silence = new Promise<never>((_, reject) => {
    timer = setTimeout(() => {
      reject(new Error(`silent for ${milliseconds} ms`));
      giveUp?.();
    }, milliseconds);
  });
  try {
    return await Promise.race([promise, silence]);
  } finally {
    clearTimeout(timer);
  }
}
