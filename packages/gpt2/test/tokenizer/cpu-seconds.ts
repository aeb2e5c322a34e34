// Time that damaged or hostile tokenizer files may take.

/** No file of the sizes in these tests may take longer than this to open and to try, in seconds of the CPU. */
export const patience = 2;

/** Seconds of the CPU that this process has taken, in all or since then. */
export const cpuSeconds = (since?: NodeJS.CpuUsage): number => {
  const { user, system } = process.cpuUsage(since);
  return (user + system) / 1e6;
};
