// Trying again after a failure: after a second, then each time after twice as long, up to a bound.

const FIRST_PAUSE_MS = 1000;
const MAX_PAUSE_MS = 15_000;

export class Retry {
  constructor() {
    this.timer = 0;
    this.pause = FIRST_PAUSE_MS;
    /** @type {(() => unknown) | null} */
    this.act = null;
  }

  /** Whether something is to be tried again. */
  get isWaiting() {
    return this.act !== null;
  }

  /**
   * Do this after a pause.
   *
   * @param {() => unknown} act
   */
  later(act) {
    this.cancel();
    this.act = act;
    this.timer = setTimeout(() => this.now(), this.pause);
    this.pause = Math.min(this.pause * 2, MAX_PAUSE_MS);
  }

  /** Do at once what waits, if anything does. */
  now() {
    const { act } = this;
    this.cancel();
    act?.();
  }

  cancel() {
    clearTimeout(this.timer);
    this.act = null;
  }

  /** After a success. */
  reset() {
    this.cancel();
    this.pause = FIRST_PAUSE_MS;
  }
}
