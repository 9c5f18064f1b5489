#!/usr/bin/env bash
# Makes the small sounds, clips and pictures of tests/nolens_media/files with the ffmpeg program.
# The committed files were made with Debian's ffmpeg 5.1.9; another version gives other bytes and must
# pass the same tests. Not needed for building or testing.
set -euo pipefail
cd "$(dirname "$0")/../nolens_media/files"

run() { ffmpeg -hide_banner -loglevel error -y -fflags +bitexact "$@"; }

# Sounds: half a second of 440 Hz at an eighth of full scale, 44100 per second, one channel.
tone=(-f lavfi -i "sine=frequency=440:duration=0.5:sample_rate=44100" -map_metadata -1 -flags +bitexact)
run "${tone[@]}" tone.flac
run "${tone[@]}" tone.mp3
run "${tone[@]}" -c:a libvorbis tone.ogg
run "${tone[@]}" -c:a libopus tone.opus
run "${tone[@]}" -c:a aac -b:a 128k tone.m4a
run "${tone[@]}" -c:a alac alac.m4a
run "${tone[@]}" -c:a libopus sound_only.webm
run "${tone[@]}" -c:a adpcm_ima_wav adpcm.wav
run "${tone[@]}" -c:a aac -movflags +faststart sound_only.mp4

# Clips: frame k is one colour, red = 30 + 30 k, green = 200 - 20 k, blue = 80 (7 frames at 10 per second);
# or red = 5 k, green = 100, blue = 250 - 5 k (40 frames at 20 per second). The top left quarter is white,
# so that turning and mirroring show.
colours() {  # FRAMES RATE RED GREEN BLUE
  printf 'nullsrc=s=48x32:r=%s:d=%s,format=rgb24,geq=' "$2" "$(awk "BEGIN{print $1/$2}")"
  local corner="lt(X\,24)*lt(Y\,16)"
  printf 'r=if(%s\,255\,%s):g=if(%s\,255\,%s):b=if(%s\,255\,%s)' "$corner" "$3" "$corner" "$4" "$corner" "$5"
}
seven=$(colours 7 10 30+30*N 200-20*N 80)
forty=$(colours 40 20 5*N 100 250-5*N)
# The matrix is converted and named: BT.709, limited range.
bt709="scale=out_color_matrix=bt709:out_range=tv:flags=accurate_rnd+full_chroma_int,format=yuv444p"
named=(-colorspace bt709 -color_primaries bt709 -color_trc bt709 -color_range tv)
plain=(-map_metadata -1 -flags +bitexact)
h264=(-c:v libx264 -crf 4 -preset medium -x264-params "threads=1" "${named[@]}" "${plain[@]}")
run -f lavfi -i "$seven" -vf "$bt709" "${h264[@]}" seven.mp4
run -f lavfi -i "$forty" -vf "$bt709" "${h264[@]}" forty.mp4
run -f lavfi -i "$forty" -vf "$bt709" "${h264[@]}" -movflags +faststart index_first.mp4
run -i seven.mp4 -c copy -bitexact seven.mkv
run -i seven.mp4 -c copy -bitexact -metadata:s:v rotate=90 turned.mp4
# An edit list hides the first 10 frames, on which the others are built.
run -ss 0.5 -i forty.mp4 -c copy -bitexact edited.mp4
run -f lavfi -i "$seven" -vf "$bt709" -c:v libvpx-vp9 -crf 4 -b:v 0 -auto-alt-ref 1 -lag-in-frames 6 -threads 1 \
  "${named[@]}" "${plain[@]}" seven.webm
run -f lavfi -i "$seven" -c:v libvpx -crf 4 -b:v 2M -threads 1 "${plain[@]}" vp8.webm
run -f lavfi -i "$seven" -vf "$bt709,format=yuv420p" -c:v libaom-av1 -crf 10 -cpu-used 8 -threads 1 "${named[@]}" "${plain[@]}" av1.mp4
run -f lavfi -i "${seven/48x32/64x64}" -vf "$bt709" -c:v libx265 -crf 4 -x265-params "log-level=0:pools=none:frame-threads=1" \
  -tag:v hvc1 "${named[@]}" "${plain[@]}" hevc.mp4
run -f lavfi -i "$seven" -c:v mjpeg -q:v 2 "${plain[@]}" mjpeg.mov
run -f lavfi -i "$seven" -c:v mpeg4 -q:v 2 "${plain[@]}" mpeg4.mp4
run -f lavfi -i "$seven" -frames:v 2 -c:v jpeg2000 "${plain[@]}" jpeg2000.mov
run -f lavfi -i "$seven" -vf "split[a][b];[a]palettegen[p];[b][p]paletteuse" "${plain[@]}" seven.gif
run -f lavfi -i "$seven" -frames:v 1 "${plain[@]}" one.bmp
# Sound and pictures together.
run -f lavfi -i "$seven" "${tone[@]:0:4}" -vf "$bt709" "${h264[@]}" -c:a aac both.mp4
# 16 x 16 pixels, then 160 x 160, in one track.
run -f lavfi -i "color=red:s=16x16:r=10:d=0.3" "${h264[@]}" -bf 0 -f h264 small.h264
run -f lavfi -i "color=blue:s=160x160:r=10:d=0.3" "${h264[@]}" -bf 0 -f h264 large.h264
cat small.h264 large.h264 > joined.h264
run -f h264 -framerate 10 -i joined.h264 -c copy -bsf:v "setts=pts=N*120000:dts=N*120000" -bitexact growing.mkv
rm small.h264 large.h264 joined.h264
ls -l
