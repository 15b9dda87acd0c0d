// Camera, microphone, loudspeaker and network of this device: opened as far as they may be, and tried out before a call.
(() => {
  "use strict";
  const calls = (window.kangyunCalls ??= {});
  const CAMERA = { width: { ideal: 640 }, height: { ideal: 480 }, frameRate: { ideal: 24 }, facingMode: "user" };
  const VOICE = { echoCancellation: true, noiseSuppression: true, autoGainControl: true };

  async function one(kind) {
    try {
      const stream = await navigator.mediaDevices.getUserMedia({ [kind]: kind === "video" ? CAMERA : VOICE });
      return { track: stream.getTracks()[0], state: "good" };
    } catch (error) {
      return { track: null, state: ["NotAllowedError", "SecurityError"].includes(error?.name) ? "refused" : "none" };
    }
  }

  // Both at once asks the person once; only when that fails is it found out which of them is missing.
  async function capture({ video = true, audio = true } = {}) {
    if (!navigator.mediaDevices) return { video: { track: null, state: "none" }, audio: { track: null, state: "none" } };
    if (video && audio) {
      try {
        const stream = await navigator.mediaDevices.getUserMedia({ video: CAMERA, audio: VOICE });
        return { video: { track: stream.getVideoTracks()[0], state: "good" }, audio: { track: stream.getAudioTracks()[0], state: "good" } };
      } catch {
        // One of the two is missing or refused.
      }
    }
    const none = { track: null, state: "off" };
    const heard = audio ? await one("audio") : none;
    return { audio: heard, video: video ? await one("video") : none };
  }

  function loudness(track, show) {
    const context = new AudioContext();
    const analyser = context.createAnalyser();
    context.createMediaStreamSource(new MediaStream([track])).connect(analyser);
    const samples = new Uint8Array(analyser.fftSize);
    const timer = setInterval(() => {
      analyser.getByteTimeDomainData(samples);
      show(Math.min(1, (Math.max(...samples) - 128) / 64));
    }, 120);
    return () => {
      clearInterval(timer);
      if (context.state !== "closed") context.close();
    };
  }

  async function beep() {
    const context = new AudioContext();
    const tone = context.createOscillator();
    const volume = context.createGain();
    volume.gain.value = 0.15;
    tone.frequency.value = 660;
    tone.connect(volume).connect(context.destination);
    tone.start();
    tone.stop(context.currentTime + 0.6);
    await new Promise((done) => { tone.onended = done; });
    await context.close();
  }

  const configuration = (ice) => ({ iceServers: ice.servers, iceTransportPolicy: ice.relay ? "relay" : "all" });

  // Whether the relay can be reached; without one, whether there is a network at all.
  async function reach(ice) {
    if (!ice.servers.length) return navigator.onLine;
    const probe = new RTCPeerConnection({ iceServers: ice.servers, iceTransportPolicy: "relay" });
    try {
      return await new Promise((done) => {
        setTimeout(() => done(false), 6000);
        probe.onicecandidate = (event) => { if (event.candidate?.candidate.includes(" typ relay ")) done(true); };
        probe.createDataChannel("probe");
        probe.setLocalDescription();
      });
    } finally {
      probe.close();
    }
  }

  Object.assign(calls, { beep, capture, configuration, loudness, reach });
})();
