/** Listeners by the type of the event. `Events` maps each type to what its listeners are given. */
export class Emitter<Events extends object> {
  #listeners = new Map<keyof Events, Set<(event: any) => void>>();

  /**
   * Calls `listener` with every event of the type from now on, in order; a listener that is there already is not added
   * again. An exception that it throws is reported as an uncaught one and keeps nothing else from happening. Returns
   * a function that removes it.
   */
  on<Type extends keyof Events>(type: Type, listener: (event: Events[Type]) => void): () => void {
    const all = this.#listeners.get(type) ?? new Set();
    this.#listeners.set(type, all.add(listener));
    return () => this.off(type, listener);
  }

  /** Removes a listener. */
  off<Type extends keyof Events>(type: Type, listener: (event: Events[Type]) => void): void {
    this.#listeners.get(type)?.delete(listener);
  }

  /** @internal */
  emit<Type extends keyof Events>(type: Type, event: Events[Type]): void {
    for (const listener of [...(this.#listeners.get(type) ?? [])]) {
      try {
        listener(event);
      } catch (error) {
        queueMicrotask(() => {
          throw error;
        });
      }
    }
  }
}
