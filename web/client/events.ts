/** Typed events: what a class tells its listeners. */

/** Something whose listeners are called by name. `Map` names each event and the parameters of its listener. */
export class Emitter<Map extends { [Name in keyof Map]: unknown[] }> {
  private readonly listeners: { [Name in keyof Map]?: Set<(...parameters: Map[Name]) => void> } = {};

  /** Calls `listener` on every event of that name; call what is returned to stop it. */
  on<Name extends keyof Map>(name: Name, listener: (...parameters: Map[Name]) => void): () => void {
    const set = (this.listeners[name] ??= new Set());
    set.add(listener);
    return () => set.delete(listener);
  }

  /** A listener that throws must not keep the others from hearing it: its error is reported as if nobody had caught it. */
  protected emit<Name extends keyof Map>(name: Name, ...parameters: Map[Name]): void {
    for (const listener of [...(this.listeners[name] ?? [])]) {
      try {
        listener(...parameters);
      } catch (error) {
        reportError(error);
      }
    }
  }
}
