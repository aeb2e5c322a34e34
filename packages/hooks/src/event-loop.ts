// A pause in long host work, so that signals, timers and a page's events have their turn.

/** Goes on after whatever else is waiting. */
export function yieldToEvents(): Promise<void> {
  return new Promise((resolve) => {
    setTimeout(resolve);
  });
}
