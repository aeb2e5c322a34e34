// What bundling the pack makes: names, and functions that load what they name.
declare module 'pack:benches' {
  const benches: readonly (readonly [name: string, load: () => Promise<unknown>])[];
  export default benches;
}
declare module 'pack:tests' {
  const tests: readonly (readonly [file: string, load: () => Promise<unknown>])[];
  export default tests;
}
