// A finger on a list whose scroll bar is not as long as what is read: what is below the finger goes along with it, and goes
// on for a while when it was thrown.

const SLOWER = 0.95;
const STILL = 0.02;

// `isOn` says whether the finger is ours; `move` moves by pixels of what is read.
export function followFinger(scroller, isOn, move) {
  // Where the finger was last, and pixels a millisecond.
  let at = null;
  let speed = 0;
  let glide = 0;
  const place = ({ touches: [finger], timeStamp }) => ({ x: finger.clientX, y: finger.clientY, time: timeStamp });

  scroller.addEventListener("touchstart", (event) => {
    cancelAnimationFrame(glide);
    at = event.touches.length === 1 && isOn() ? place(event) : null;
    speed = 0;
  }, { passive: true });
  scroller.addEventListener("touchmove", (event) => {
    if (!at) return;
    event.preventDefault();
    const now = place(event);
    const [across, along] = [at.x - now.x, at.y - now.y];
    speed = 0.7 * (along / Math.max(1, now.time - at.time)) + 0.3 * speed;
    at = now;
    scroller.scrollLeft += across;
    move(along);
  }, { passive: false });
  scroller.addEventListener("touchend", (event) => {
    // A finger that rested before it was lifted throws nothing.
    if (!at || event.timeStamp - at.time > 60) speed = 0;
    at = null;
    let before = event.timeStamp;
    const go = (time) => {
      const passed = Math.max(0, time - before);
      before = time;
      move(speed * passed);
      speed *= SLOWER ** (passed / 16);
      if (Math.abs(speed) > STILL) glide = requestAnimationFrame(go);
    };
    if (Math.abs(speed) > STILL) glide = requestAnimationFrame(go);
  }, { passive: true });
}
