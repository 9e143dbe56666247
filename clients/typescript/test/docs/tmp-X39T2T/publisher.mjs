import { connect } from "wireroom";

export function start(url, measure, everyMs, options) {
  const client = connect(url, options);
  const timer = setInterval(() => {
    for (const [event, value] of Object.entries(measure())) {
      client.publish("metrics", value, { event }).catch(() => {});
    }
  }, everyMs);
  return () => {
    clearInterval(timer);
    client.close();
  };
}
